#pragma once

#include <ATen/core/Tensor.h>

#include <array>
#include <cstdint>

#include "inference/layers/linear.h"
#include "inference/weights/parameter.h"

namespace ssd1b {

enum class Mask { None, Causal };

/// softmax(q k^T / sqrt(width of a head)) v, head by head: q [B, T, D], k and v [B, S, D] -> [B, T,
/// D].
at::Tensor attend(const at::Tensor& query, const at::Tensor& key, const at::Tensor& value,
                  std::int64_t heads, Mask mask = Mask::None);

/// Queries, keys and values of a self-attention in one product.
struct QkvProjection {
  QkvProjection(std::int64_t inputs, std::int64_t outputs, Bias with_bias);
  /// [B, T, inputs] -> three times [B, T, outputs]
  std::array<at::Tensor, 3> operator()(const at::Tensor& hidden) const;

  Linear query, key, value;  // rows of `all`
  Linear all;
};

/// `names`: what the checkpoint calls query, key and value.
void visit_parameters(QkvProjection& projection, const Scope& scope,
                      const std::array<const char*, 3>& names);

struct AttentionConfig {
  std::int64_t width = 0;  // of what comes in and goes out
  std::int64_t heads = 1;
  std::int64_t inner_width = 0;    // of all heads together
  std::int64_t context_width = 0;  // cross-attention: of what keys and values are made from
  Bias qkv_bias = Bias::No;  // of the projections to q, k and v; the one out has a bias always
};

/// Every token looks at every token.
struct SelfAttention {
  explicit SelfAttention(const AttentionConfig& config);
  /// [B, T, width] -> the same
  at::Tensor operator()(const at::Tensor& hidden) const;

  QkvProjection to_qkv;  // to_q, to_k, to_v
  Linear to_out;         // to_out.0
  std::int64_t heads;
};

/// What a cross-attention needs of a prompt: the same at every step of a picture.
struct KeysValues {
  at::Tensor keys, values;  // [B, L, inner_width]
};

/// Every token looks at every token of the prompt.
struct CrossAttention {
  explicit CrossAttention(const AttentionConfig& config);
  /// embeddings [B, L, context_width]
  KeysValues prepare(const at::Tensor& embeddings) const;
  /// hidden [B, T, width] -> the same
  at::Tensor operator()(const at::Tensor& hidden, const KeysValues& prompt) const;

  Linear to_q, to_k, to_v;
  Linear to_out;  // to_out.0
  std::int64_t heads;
};

void visit_parameters(SelfAttention& attention, const Scope& scope);
void visit_parameters(CrossAttention& attention, const Scope& scope);

}  // namespace ssd1b
