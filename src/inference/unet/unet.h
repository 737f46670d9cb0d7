#pragma once

#include <ATen/core/Tensor.h>

#include <optional>
#include <vector>

#include "inference/layers/conv2d.h"
#include "inference/layers/norms.h"
#include "inference/layers/tick.h"
#include "inference/unet/blocks.h"
#include "inference/unet/timestep_embedding.h"
#include "inference/unet/unet_config.h"

namespace ssd1b {

/// What the transformer blocks of a UNet, in order, need of the prompts of all rows.
using PromptKeysValues = std::vector<KeysValues>;

/// All that is to be known of prompt, sizes and guidance: made once a picture, one row a row of the
/// call.
struct UNetConditioning {
  PromptKeysValues prompt;     // as embeddings below
  at::Tensor added_embedding;  // [B, T]: pooled prompt and sizes
  at::Tensor guidance;         // [B, guidance_width]; undefined where guidance is not embedded

  std::int64_t rows() const { return added_embedding.size(0); }
  /// Rows before those that `prompt` is of.
  std::int64_t rows_without_prompt() const {
    return prompt.empty() ? 0 : rows() - prompt.front().keys.size(0);
  }
};

/// What UNet::prepare reads, all in the UNet's dtype and on its device.
struct UNetPrompt {
  // [B, L, cross_attention_width]. Of fewer rows: the first have zeros, which cost nothing so.
  at::Tensor embeddings;
  at::Tensor pooled;    // [B, pooled_width]
  at::Tensor time_ids;  // [B, 6]: original height, width, crop top, left, target height, width
  at::Tensor guidance;  // [B, guidance_width] of guidance_sinusoids, or undefined
};

/// The prompts of several pictures, equally long, behind one another.
PromptKeysValues concat_rows(const std::vector<const PromptKeysValues*>& parts);

struct UNetInput {
  at::Tensor latents;  // [B, C, h, w], scaled as the scheduler says
  at::Tensor times;    // [B, W] of UNet::embed_times
  const PromptKeysValues& prompt;
};

/// Predicts the noise (or what the model was trained to predict) in latents.
struct UNet {
  explicit UNet(const UNetConfig& config);
  /// -> [B, Cout, h, w]. Ticks after every block.
  at::Tensor operator()(const UNetInput& input, const Tick& tick) const;
  UNetConditioning prepare(const UNetPrompt& prompt) const;
  /// What the resnets of S calls are told of the time, made once a picture: timesteps [S, B]
  /// float32 on the UNet's device -> [S, B, W], every resnet's time_emb_proj behind the one before
  /// it.
  at::Tensor embed_times(const at::Tensor& timesteps, const UNetConditioning& conditioning) const;

  UNetConfig config;
  Conv2d conv_in;
  TimestepEmbedding time_embedding;
  TimestepEmbedding add_embedding;
  std::vector<DownBlock> down_blocks;
  std::optional<MidBlock> mid_block;
  std::vector<UpBlock> up_blocks;
  GroupNorm conv_norm_out;
  Conv2d conv_out;

 private:
  template <typename Visit>
  void visit_blocks(Visit visit) const;

  std::vector<std::int64_t> time_widths_;  // of every resnet
};

void visit_parameters(UNet& unet, const Scope& scope);

}  // namespace ssd1b
