#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <variant>
#include <vector>

#include "inference/layers/attention.h"
#include "inference/layers/conv2d.h"
#include "inference/layers/linear.h"
#include "inference/layers/norms.h"

namespace ssd1b {

/// Linear layer, gated by GELU, linear layer.
struct FeedForward {
  explicit FeedForward(std::int64_t width);
  /// [B, T, width] -> the same
  at::Tensor operator()(const at::Tensor& hidden) const;

  Linear proj_in;   // net.0.proj: values and gates, [8 width, width]
  Linear proj_out;  // net.2
};

/// Self-attention, cross-attention to the prompt and feed-forward, each added to its input: the
/// stream of tokens, by the norm that reads it next.
struct TransformerBlock {
  explicit TransformerBlock(const AttentionConfig& config);
  /// Adds `before` [B, T, D], what the block before made or undefined, and both attentions to the
  /// stream [B, T, D], in its place, and returns what is still to be added. `prompt` is of the last
  /// rows; rows before them, if any, have one of zeros.
  at::Tensor operator()(const at::Tensor& stream, const at::Tensor& before,
                        const KeysValues& prompt) const;

  LayerNorm norm1, norm2, norm3;
  SelfAttention attn1;
  CrossAttention attn2;
  FeedForward ff;
};

struct TransformerConfig {
  std::int64_t channels = 0;
  std::int64_t heads = 1;
  std::int64_t inner_width = 0;  // of all heads together
  std::int64_t depth = 1;
  std::int64_t cross_attention_width = 0;
  std::int64_t norm_groups = 32;
  bool use_linear_projection = true;
};

/// Transformer blocks over the pixels, between two projections, added to the input.
struct Transformer {
  explicit Transformer(const TransformerConfig& config);
  /// hidden [B, C, h, w]; `prompts` points at what prepare() made for the first block -> the same
  at::Tensor operator()(const at::Tensor& hidden, const KeysValues* prompts) const;
  /// Appends what each block needs of the prompt; embeddings [B, L, cross_attention_width].
  void prepare(const at::Tensor& embeddings, std::vector<KeysValues>& prompts) const;

  GroupNorm norm;
  // A linear layer on tokens or a 1x1 convolution on pixels: the same product, other file shapes.
  std::variant<Linear, Conv2d> proj_in, proj_out;
  std::vector<TransformerBlock> transformer_blocks;
};

void visit_parameters(FeedForward& feed_forward, const Scope& scope);
void visit_parameters(TransformerBlock& block, const Scope& scope);
void visit_parameters(Transformer& transformer, const Scope& scope);

}  // namespace ssd1b
