#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <optional>

#include "inference/layers/conv2d.h"
#include "inference/layers/linear.h"
#include "inference/layers/norms.h"

namespace ssd1b {

struct ResnetBlockConfig {
  std::int64_t in_channels = 0;
  std::int64_t out_channels = 0;
  std::int64_t time_width = 0;  // 0: no time embedding
  std::int64_t norm_groups = 32;
  double norm_eps = 1e-6;
  double output_scale = 1.0;  // what the sum of both branches is divided by
  Activation activation = Activation::Silu;
  bool scales_by_time = false;  // the time embedding scales and shifts what norm2 gives
};

/// Two 3x3 convolutions, each after a norm and an activation, with the time embedding added between
/// them.
struct ResnetBlock {
  explicit ResnetBlock(const ResnetBlockConfig& config);
  /// hidden [B, Cin, h, w], time = time_emb_proj(activation(time embedding)) [B, Cout or 2 Cout],
  /// undefined without time embedding -> [B, Cout, h, w]
  at::Tensor operator()(const at::Tensor& hidden, const at::Tensor& time = {}) const;

  GroupNorm norm1, norm2;
  Conv2d conv1, conv2;
  std::optional<Linear> time_emb_proj;
  std::optional<Conv2d> conv_shortcut;  // where the channels differ
  double output_scale;
  Activation activation;
  bool scales_by_time;

 private:
  /// What conv2 reads of what conv1 gave: [B, Cout, h, w] -> the same
  at::Tensor normed_with_time(const Unbiased& hidden, const at::Tensor& time) const;
};

void visit_parameters(ResnetBlock& block, const Scope& scope);

}  // namespace ssd1b
