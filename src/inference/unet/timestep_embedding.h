#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <optional>

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

/// Two linear layers with SiLU between.
struct TimestepEmbedding {
  /// `condition_width`: of a second input, added before the first layer; 0: none.
  TimestepEmbedding(std::int64_t inputs, std::int64_t outputs, std::int64_t condition_width = 0);
  /// input [B, inputs], condition [B, condition_width] or undefined -> [B, outputs]
  at::Tensor operator()(const at::Tensor& input, const at::Tensor& condition = {}) const;

  std::optional<Linear> cond_proj;
  Linear linear_1, linear_2;
};

void visit_parameters(TimestepEmbedding& embedding, const Scope& scope);

}  // namespace ssd1b
