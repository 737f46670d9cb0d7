#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "inference/layers/unbiased.h"
#include "inference/weights/parameter.h"

namespace ssd1b {

struct Conv2dConfig {
  std::int64_t in_channels = 0;
  std::int64_t out_channels = 0;
  std::int64_t kernel = 3;  // each way
  std::int64_t stride = 1;
  std::int64_t padding = 1;  // zeros on each side
};

/// The convolution that keeps the size of the picture: `kernel` is odd.
Conv2dConfig same_size_conv(std::int64_t in_channels, std::int64_t out_channels,
                            std::int64_t kernel = 3);

/// A convolution with a bias. With Linear the only door to a product.
struct Conv2d {
  explicit Conv2d(const Conv2dConfig& config);
  /// [B, Cin, h, w] -> [B, Cout, h / stride, w / stride]
  at::Tensor operator()(const at::Tensor& input) const;
  /// The same, the bias left to whoever reads the result where that is faster.
  Unbiased unbiased(const at::Tensor& input) const;
  /// operator() with another kernel, in any form that a Parameter may have.
  at::Tensor convolve(const at::Tensor& input, const at::Tensor& kernel) const;

  Parameter weight;  // [Cout, Cin, kernel, kernel]
  Parameter bias;    // [Cout]
  std::int64_t stride;
  std::int64_t padding;
};

void visit_parameters(Conv2d& conv, const Scope& scope);

}  // namespace ssd1b
