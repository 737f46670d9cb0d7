#pragma once

#include <algorithm>
#include <cstdint>
#include <numeric>
#include <optional>
#include <string>
#include <vector>

#include "inference/layers/activation.h"
#include "inference/weights/config_document.h"

namespace ssd1b {

/// One level of the UNet: its resnets, each followed by a transformer where there is one.
struct UNetBlockConfig {
  std::int64_t channels = 0;
  std::int64_t heads = 1;  // of the transformers
  bool has_transformers = false;
  std::vector<std::int64_t>
      depths;  // transformer blocks behind each resnet; its size is their count

  /// Of all heads together. Not the channels where these are no multiple of the heads: so diffusers
  /// rounds.
  std::int64_t attention_width() const { return channels / heads * heads; }
  /// Behind all resnets together.
  std::int64_t transformer_blocks() const {
    return has_transformers ? std::accumulate(depths.begin(), depths.end(), std::int64_t{0}) : 0;
  }
};

/// unet/config.json, with every default and every shorthand resolved. The defaults are those of
/// diffusers' UNet2DConditionModel.
struct UNetConfig {
  /// Throws Error(BadModel), naming file and key, for a value that is wrong and for one that these
  /// networks do not have.
  static UNetConfig from(const ConfigDocument& document);

  /// The longer side of the latents that the model was trained for.
  std::int64_t sample_side() const { return std::max(sample_height, sample_width); }

  std::int64_t in_channels = 4;
  std::int64_t out_channels = 4;
  std::int64_t sample_height = 128;  // latent pixels that the model was trained for
  std::int64_t sample_width = 128;
  bool center_input_sample = false;  // the latents come in 0..1 and are spread to -1..1

  std::vector<UNetBlockConfig> down_blocks;  // in the order of execution
  std::optional<UNetBlockConfig> mid_block;  // one resnet; with transformers: two, one between
  std::vector<UNetBlockConfig> up_blocks;    // in the order of execution

  std::int64_t time_width = 0;  // of the time embedding
  bool flip_sin_to_cos = true;
  double freq_shift = 0.0;
  std::int64_t guidance_width = 0;  // time_cond_proj_dim; 0: guidance is not embedded

  std::int64_t cross_attention_width = 0;  // of the prompt's embeddings
  bool use_linear_projection = false;      // else 1x1 convolutions around the transformers

  std::int64_t pooled_width = 0;   // of the pooled prompt
  std::int64_t time_id_width = 0;  // of the sinusoids of each of the kTimeIds

  Activation activation = Activation::Silu;             // of resnets, time embedding and output
  Activation time_activation = Activation::None;        // behind the time embedding alone
  Activation added_time_activation = Activation::None;  // behind its sum with the added embedding

  bool scales_by_time = false;  // resnet_time_scale_shift; else the resnets add the time embedding

  std::int64_t norm_groups = 32;
  double norm_eps = 1e-5;
  std::int64_t downsample_padding = 1;
  double mid_block_scale_factor = 1.0;
  std::int64_t conv_in_kernel = 3;
  std::int64_t conv_out_kernel = 3;

  std::int64_t first_channels() const { return down_blocks.front().channels; }
};

}  // namespace ssd1b
