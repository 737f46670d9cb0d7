#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "inference/layers/conv2d.h"
#include "inference/layers/tick.h"
#include "inference/vae/vae_blocks.h"
#include "inference/vae/vae_config.h"
#include "ssd1b/image.h"

namespace ssd1b {

/// Which halves of the autoencoder a program needs.
enum class VaeParts { Decoder, Both };

/// Where the encoder sees a picture: a normal distribution for each latent pixel.
struct LatentDistribution {
  at::Tensor mean, standard_deviation;  // [B, Cl, h, w]
};

/// Latents to pixels and back.
struct Vae {
  explicit Vae(const VaeConfig& config, VaeParts parts = VaeParts::Decoder);
  /// Latents as the UNet's loop leaves them [B, Cl, h, w] -> pixels [B, 3, H, W], about -1..1, not
  /// clamped. Ticks after every block.
  at::Tensor decode(const at::Tensor& latents, const Tick& tick) const;
  /// Pixels [B, 3, H, W] in -1..1 -> the distribution of the autoencoder's own latents. Needs
  /// VaeParts::Both.
  LatentDistribution encode(const at::Tensor& pixels, const Tick& tick) const;

  /// The autoencoder's own latents from those of the UNet's loop, and back.
  at::Tensor from_model_space(const at::Tensor& latents) const;
  at::Tensor to_model_space(const at::Tensor& latents) const;

  VaeConfig config;
  std::optional<VaeEncoder> encoder;
  std::optional<Conv2d> quant_conv;
  VaeDecoder decoder;
  std::optional<Conv2d> post_quant_conv;
};

/// Visits the parts that it has.
void visit_parameters(Vae& vae, const Scope& scope);

/// The names of a checkpoint that belong to parts that it has not: for LoadOptions.
std::vector<std::string> unvisited_prefixes(const Vae& vae);

/// Pixels [1, 3, H, W] about -1..1, on any device in any floating dtype, to bytes: clamped, rounded
/// half to even, as diffusers does.
Image to_image(const at::Tensor& pixels);

}  // namespace ssd1b
