#include "inference/layers/norms.h"

#include <ATen/ATen.h>

#include "inference/layers/cuda_kernels.h"
#include "inference/layers/group_norm_cpu.h"

namespace ssd1b {

GroupNorm::GroupNorm(std::int64_t groups_of, std::int64_t channels, double eps_of)
    : weight({channels}), bias({channels}), groups(groups_of), eps(eps_of) {}

at::Tensor GroupNorm::operator()(const at::Tensor& input) const {
  return with(Activation::None, input);
}

at::Tensor GroupNorm::with(Activation activation, const at::Tensor& input) const {
  if (activation != Activation::None && activation != Activation::Silu) {
    return activate(with(Activation::None, input), activation);
  }
  if (can_use_channels_last_group_norm(input)) {
    return channels_last_group_norm(input, weight.value, bias.value, groups, eps, activation);
  }
  if (auto done = cuda_group_norm({input, {}}, {}, *this, activation)) return *done;
  at::Tensor normed = at::group_norm(input, groups, weight.value, bias.value, eps);
  return activation == Activation::Silu ? at::silu_(normed) : normed;
}

at::Tensor GroupNorm::with(Activation activation, const Unbiased& input,
                           const at::Tensor& time) const {
  if (activation == Activation::None || activation == Activation::Silu) {
    if (auto done = cuda_group_norm(input, time, *this, activation)) return *done;
  }
  at::Tensor hidden = settle(input);
  if (time.defined()) hidden.add_(time.unsqueeze(-1).unsqueeze(-1));
  return with(activation, hidden);
}

LayerNorm::LayerNorm(std::int64_t width, double eps_of)
    : weight({width}), bias({width}), eps(eps_of) {}

at::Tensor LayerNorm::operator()(const at::Tensor& input) const {
  if (auto done = cuda_layer_norm(input, {}, *this, /*first=*/0)) return *done;
  return at::layer_norm(input, weight.shape, weight.value, bias.value, eps);
}

at::Tensor LayerNorm::after_adding(const at::Tensor& stream, const Addition& added,
                                   std::int64_t first) const {
  if (auto done = cuda_layer_norm(stream, added, *this, first)) return *done;
  if (const auto& tokens = added.tokens; tokens.defined()) {
    const std::int64_t without = stream.size(0) - tokens.size(0);
    stream.narrow(/*dim=*/0, without, tokens.size(0)).add_(tokens);
    if (without > 0) stream.narrow(/*dim=*/0, 0, without).add_(added.rest);
  }
  return (*this)(stream.narrow(/*dim=*/0, first, stream.size(0) - first));
}

void visit_parameters(GroupNorm& norm, const Scope& scope) {
  scope.parameter("weight", norm.weight);
  scope.parameter("bias", norm.bias);
}

void visit_parameters(LayerNorm& norm, const Scope& scope) {
  scope.parameter("weight", norm.weight);
  scope.parameter("bias", norm.bias);
}

}  // namespace ssd1b
