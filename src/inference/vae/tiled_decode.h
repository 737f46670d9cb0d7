#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "inference/vae/vae.h"

namespace ssd1b {

/// Decodes in square tiles of `tile` latent pixels that overlap by a quarter and fade into one
/// another: the same pictures as diffusers' AutoencoderKL.tiled_decode with tile_latent_min_size
/// `tile`. Not those of Vae::decode: norms and attention see one tile at a time. `tile` is a
/// multiple of 4. [1, Cl, h, w] -> [1, 3, H, W]
at::Tensor decode_in_tiles(const Vae& vae, const at::Tensor& latents, std::int64_t tile,
                           const Tick& tick);

}  // namespace ssd1b
