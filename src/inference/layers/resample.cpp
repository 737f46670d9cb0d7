#include "inference/layers/resample.h"

#include <ATen/ATen.h>

namespace ssd1b {

Downsample::Downsample(std::int64_t channels, std::int64_t padding)
    : conv({channels, channels, /*kernel=*/3, /*stride=*/2, padding}) {}

at::Tensor Downsample::operator()(const at::Tensor& hidden) const {
  if (conv.padding > 0) return conv(hidden);
  return conv(at::constant_pad_nd(hidden, {0, 1, 0, 1}));  // right and bottom
}

Upsample::Upsample(std::int64_t channels) : conv(same_size_conv(channels, channels)) {}

at::Tensor Upsample::operator()(const at::Tensor& hidden, std::int64_t height,
                                std::int64_t width) const {
  return conv(at::upsample_nearest2d(hidden, {height, width}));
}

void visit_parameters(Downsample& downsample, const Scope& scope) {
  visit_parameters(downsample.conv, scope / "conv");
}

void visit_parameters(Upsample& upsample, const Scope& scope) {
  visit_parameters(upsample.conv, scope / "conv");
}

}  // namespace ssd1b
