#include "inference/layers/conv2d.h"

#include <ATen/ATen.h>

namespace ssd1b {

Conv2dConfig same_size_conv(std::int64_t in_channels, std::int64_t out_channels,
                            std::int64_t kernel) {
  return {in_channels, out_channels, kernel, /*stride=*/1, /*padding=*/(kernel - 1) / 2};
}

Conv2d::Conv2d(const Conv2dConfig& config)
    : weight({config.out_channels, config.in_channels, config.kernel, config.kernel}),
      bias({config.out_channels}),
      stride(config.stride),
      padding(config.padding) {}

at::Tensor Conv2d::operator()(const at::Tensor& input) const {
  return at::conv2d(input, weight.value, bias.value, stride, padding);
}

void visit_parameters(Conv2d& conv, const Scope& scope) {
  scope.parameter("weight", conv.weight);
  scope.parameter("bias", conv.bias);
}

}  // namespace ssd1b
