#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "inference/layers/conv2d.h"

namespace ssd1b {

/// Halves the picture: a 3x3 convolution of stride 2.
struct Downsample {
  /// `padding` 0 means one row of zeros below and one column at the right, as the VAE was trained.
  Downsample(std::int64_t channels, std::int64_t padding);
  /// [B, C, h, w] -> [B, C, h', w']: (h + 1) / 2 with padding 1, h / 2 with padding 0
  at::Tensor operator()(const at::Tensor& hidden) const;

  Conv2d conv;
};

/// Doubles the picture: nearest neighbour, then a 3x3 convolution.
struct Upsample {
  explicit Upsample(std::int64_t channels);
  /// [B, C, h, w] -> [B, C, height, width], where the size is 2h or 2h - 1 by 2w or 2w - 1: a skip
  /// that was halved from an odd size has that.
  at::Tensor operator()(const at::Tensor& hidden, std::int64_t height, std::int64_t width) const;

  Conv2d conv;
};

void visit_parameters(Downsample& downsample, const Scope& scope);
void visit_parameters(Upsample& upsample, const Scope& scope);

}  // namespace ssd1b
