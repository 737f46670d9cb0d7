#pragma once

#include <cstdint>
#include <vector>

#include "inference/layers/activation.h"
#include "inference/weights/config_document.h"

namespace ssd1b {

/// vae/config.json. The defaults are those of diffusers' AutoencoderKL.
struct VaeConfig {
  /// Throws Error(BadModel), naming file and key, for a value that is wrong and for one that this
  /// network does not have.
  static VaeConfig from(const ConfigDocument& document);

  std::int64_t latent_channels = 4;
  std::vector<std::int64_t> block_channels = {64};  // from the pixels to the latents
  std::int64_t layers_per_block = 1;
  std::int64_t norm_groups = 32;
  Activation resnet_activation = Activation::Silu;  // the one before the last convolution is SiLU
  bool has_mid_attention = true;
  bool has_quant_conv = true;
  bool has_post_quant_conv = true;
  double scaling_factor = 0.18215;
  // Of each latent channel; empty: latents are only scaled.
  std::vector<double> latents_mean;
  std::vector<double> latents_std;
  bool force_upcast = true;  // float16 overflows in this network

  /// Pixels a latent pixel, each way.
  std::int64_t scale() const { return std::int64_t{1} << (block_channels.size() - 1); }
};

}  // namespace ssd1b
