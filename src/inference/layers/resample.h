#pragma once

#include <ATen/core/Tensor.h>

#include <array>
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

/// Doubling and a 3x3 convolution [Cout, Cin, 3, 3] as four convolutions of 2x2 before the
/// doubling, each [Cout, Cin, 2, 2]: of the even rows and columns, even and odd, odd and even, odd
/// and odd ones. Neighbours are equal after the doubling, so the weights that meet them are summed:
/// four ninths of the products give the same picture. Channels-last in memory.
std::array<at::Tensor, 4> upsampling_kernels(const at::Tensor& weight);
/// What the convolution with kernel `index` gave, padded by one on all sides [B, Cout, h + 1,
/// w + 1], to its quarter of the pixels of `out` [B, Cout, 2h, 2w].
void place_upsampled(const at::Tensor& part, std::int64_t index, const at::Tensor& out);

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
