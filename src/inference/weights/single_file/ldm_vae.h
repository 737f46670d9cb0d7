#pragma once

#include "inference/weights/single_file/ldm_keys.h"

namespace ssd1b {

/// The tensors below `first_stage_model.` and what shapes say about the VAE's config. Throws
/// Error(BadModel) where they are no VAE.
LdmComponent read_ldm_vae(const LdmKeys& keys);

}  // namespace ssd1b
