#include "inference/layers/resample.h"

#include <ATen/ATen.h>

#include <optional>
#include <vector>

#include "inference/layers/cuda_kernels.h"

namespace ssd1b {
namespace {

/// The three taps of a kernel in one direction, `dim`, as the two that fall on different pixels
/// before the doubling: of an even row its neighbour above and itself twice, of an odd one itself
/// twice and its neighbour below.
at::Tensor sum_taps(const at::Tensor& taps, std::int64_t dim, std::int64_t is_odd) {
  const std::vector<at::Tensor> three = taps.split(1, dim);
  return is_odd == 0 ? at::cat({three[0], three[1] + three[2]}, dim)
                     : at::cat({three[0] + three[1], three[2]}, dim);
}

/// hidden [B, C, h, w] -> [B, C, 2h, 2w], four times a quarter of the pixels.
at::Tensor upsample_by_parts(const at::Tensor& hidden, const Conv2d& conv) {
  const std::int64_t height = hidden.size(2);
  const std::int64_t width = hidden.size(3);
  at::Tensor out = at::empty({hidden.size(0), conv.weight.shape[0], 2 * height, 2 * width},
                             hidden.options().memory_format(at::MemoryFormat::ChannelsLast));
  for (std::int64_t i = 0; i < 4; ++i) {
    place_upsampled(conv.convolve(hidden, conv.weight.arranged[i + 1]), i, out);
  }
  return out;
}

/// The same with all four kernels in one product; nullopt where our own kernel, which brings its
/// results to their places, does not take them.
std::optional<at::Tensor> upsample_at_once(const at::Tensor& hidden, const Conv2d& conv) {
  const at::Tensor parts =
      at::conv2d(hidden, conv.weight.arranged[1], /*bias=*/{}, /*stride=*/1, /*padding=*/1);
  return cuda_interleave(parts, conv.bias.value);
}

}  // namespace

void place_upsampled(const at::Tensor& part, std::int64_t index, const at::Tensor& out) {
  const std::int64_t row = index / 2;
  const std::int64_t column = index % 2;
  // One row and one column of the part are of no use.
  out.slice(2, row, out.size(2), 2)
      .slice(3, column, out.size(3), 2)
      .copy_(part.narrow(2, row, out.size(2) / 2).narrow(3, column, out.size(3) / 2));
}

Downsample::Downsample(std::int64_t channels, std::int64_t padding)
    : conv({channels, channels, /*kernel=*/3, /*stride=*/2, padding}) {}

at::Tensor Downsample::operator()(const at::Tensor& hidden) const {
  if (conv.padding > 0) return conv(hidden);
  return conv(at::constant_pad_nd(hidden, {0, 1, 0, 1}));  // right and bottom
}

std::array<at::Tensor, 4> upsampling_kernels(const at::Tensor& weight) {
  // Sums are rounded once, to the weight's dtype. [outputs, row, column, inputs]: they run along
  // memory, and what comes out is channels-last.
  const at::ScalarType exact = weight.scalar_type() == at::kFloat ? at::kDouble : at::kFloat;
  const at::Tensor taps = weight.permute({0, 2, 3, 1}).contiguous().to(exact);
  std::array<at::Tensor, 4> kernels;
  for (std::int64_t i = 0; i < 4; ++i) {
    const at::Tensor sums = sum_taps(sum_taps(taps, 1, i / 2), 2, i % 2);
    kernels[i] = sums.to(weight.scalar_type()).permute({0, 3, 1, 2});
  }
  return kernels;
}

Upsample::Upsample(std::int64_t channels) : conv(same_size_conv(channels, channels)) {
  conv.weight.use = ParameterUse::Upsampling;
}

at::Tensor Upsample::operator()(const at::Tensor& hidden, std::int64_t height,
                                std::int64_t width) const {
  const bool is_doubled = height == 2 * hidden.size(2) && width == 2 * hidden.size(3);
  if (is_doubled && conv.weight.arranged.size() == 5) return upsample_by_parts(hidden, conv);
  if (is_doubled && conv.weight.arranged.size() == 2) {
    if (auto done = upsample_at_once(hidden, conv)) return *done;
  }
  return conv(at::upsample_nearest2d(hidden, {height, width}));
}

void visit_parameters(Downsample& downsample, const Scope& scope) {
  visit_parameters(downsample.conv, scope / "conv");
}

void visit_parameters(Upsample& upsample, const Scope& scope) {
  visit_parameters(upsample.conv, scope / "conv");
}

}  // namespace ssd1b
