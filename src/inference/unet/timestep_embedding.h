#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <optional>

#include "inference/layers/activation.h"
#include "inference/layers/linear.h"

namespace ssd1b {

struct SinusoidConfig {
  std::int64_t width = 0;
  bool flip_sin_to_cos = true;  // cosines first
  double freq_shift = 0.0;
};

/// values [N] -> [N, width] float32: sines and cosines of the values at falling frequencies.
at::Tensor sinusoids(const at::Tensor& values, const SinusoidConfig& config);

/// What a model with `guidance_width` is told of the guidance scale, as diffusers' pipeline makes
/// it: [1, width] float32.
at::Tensor guidance_sinusoids(double guidance_scale, std::int64_t width);

struct TimestepEmbeddingConfig {
  std::int64_t inputs = 0;
  std::int64_t outputs = 0;
  std::int64_t condition_width = 0;  // of a second input, added before the first layer; 0: none
  Activation activation = Activation::Silu;
  Activation last_activation = Activation::None;
};

/// Two linear layers, each with an activation behind it.
struct TimestepEmbedding {
  explicit TimestepEmbedding(const TimestepEmbeddingConfig& config);
  /// input [B, inputs], condition [B, condition_width] or undefined -> [B, outputs]
  at::Tensor operator()(const at::Tensor& input, const at::Tensor& condition = {}) const;

  std::optional<Linear> cond_proj;
  Linear linear_1, linear_2;
  Activation activation, last_activation;
};

void visit_parameters(TimestepEmbedding& embedding, const Scope& scope);

}  // namespace ssd1b
