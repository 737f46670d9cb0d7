#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <optional>
#include <vector>

#include "inference/layers/activation.h"
#include "inference/layers/attention.h"
#include "inference/layers/linear.h"
#include "inference/layers/norms.h"
#include "inference/layers/tick.h"
#include "inference/text_encoder/text_encoder_config.h"

namespace ssd1b {

/// Causal self-attention and a feed-forward network, each added to its input.
struct TextEncoderLayer {
  explicit TextEncoderLayer(const TextEncoderConfig& config);
  /// [B, L, D] -> the same
  at::Tensor operator()(const at::Tensor& hidden) const;

  LayerNorm layer_norm1, layer_norm2;
  QkvProjection qkv_proj;  // self_attn.{q_proj, k_proj, v_proj}
  Linear out_proj;         // self_attn.out_proj
  Linear fc1, fc2;         // mlp.fc1, mlp.fc2
  std::int64_t heads;
  Activation activation;
};

struct EncodedText {
  at::Tensor hidden;  // [B, L, D], without the final norm
  at::Tensor pooled;  // [B, P]; undefined where the model has no projection
};

/// CLIP's text model.
struct TextEncoder {
  explicit TextEncoder(const TextEncoderConfig& config);
  /// ids [B, L] int64, each below the vocabulary, L at most `positions`. `clip_skips`, one a text,
  /// as diffusers counts: 0 takes the output of the last layer but one. Computes no layer that
  /// nothing needs; ticks after every layer.
  EncodedText operator()(const at::Tensor& ids, const std::vector<std::int64_t>& clip_skips,
                         const Tick& tick) const;

  TextEncoderConfig config;
  Parameter token_embedding;     // [vocabulary, D]
  Parameter position_embedding;  // [positions, D]
  std::vector<TextEncoderLayer> layers;
  LayerNorm final_layer_norm;
  std::optional<Linear> text_projection;
};

void visit_parameters(TextEncoderLayer& layer, const Scope& scope);
void visit_parameters(TextEncoder& encoder, const Scope& scope);

}  // namespace ssd1b
