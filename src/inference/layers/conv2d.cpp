#include "inference/layers/conv2d.h"

#include <ATen/ATen.h>

#include "inference/layers/cuda_kernels.h"
#include "inference/layers/onednn.h"

namespace ssd1b {

Conv2dConfig same_size_conv(std::int64_t in_channels, std::int64_t out_channels,
                            std::int64_t kernel) {
  return {in_channels, out_channels, kernel, /*stride=*/1, /*padding=*/(kernel - 1) / 2};
}

namespace {

ParameterUse use_of(const Conv2dConfig& config) {
  const bool keeps_size = config.stride == 1 && 2 * config.padding + 1 == config.kernel;
  return keeps_size ? ParameterUse::Convolution : ParameterUse::Other;
}

}  // namespace

Conv2d::Conv2d(const Conv2dConfig& config)
    : weight({config.out_channels, config.in_channels, config.kernel, config.kernel},
             use_of(config)),
      bias({config.out_channels}),
      stride(config.stride),
      padding(config.padding) {}

at::Tensor Conv2d::operator()(const at::Tensor& input) const { return settle(unbiased(input)); }

Unbiased Conv2d::unbiased(const at::Tensor& input) const {
  const at::Tensor& kernel = weight.arranged.empty() ? weight.value : weight.arranged.front();
  if (!can_cuda_add(input, weight.shape.front())) return {convolve(input, kernel), {}};
  return {at::conv2d(input, kernel, /*bias=*/{}, stride, padding), bias.value};
}

at::Tensor Conv2d::convolve(const at::Tensor& input, const at::Tensor& kernel) const {
  if (!kernel.is_mkldnn()) return at::conv2d(input, kernel, bias.value, stride, padding);
  if (kernel.dim() == 4) return onednn_conv2d(input, kernel, bias.value, padding);
  return onednn_linear(input.permute({0, 2, 3, 1}), kernel, bias.value)  // [B, h, w, Cout]
      .permute({0, 3, 1, 2});
}

void visit_parameters(Conv2d& conv, const Scope& scope) {
  scope.parameter("weight", conv.weight);
  scope.parameter("bias", conv.bias);
}

}  // namespace ssd1b
