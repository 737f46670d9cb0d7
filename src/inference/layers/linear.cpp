#include "inference/layers/linear.h"

#include <ATen/ATen.h>

#include "inference/layers/onednn.h"

namespace ssd1b {

Linear::Linear(std::int64_t inputs, std::int64_t outputs, Bias with_bias)
    : weight({outputs, inputs}, ParameterUse::Matrix) {
  if (with_bias == Bias::Yes) bias.emplace(std::vector<std::int64_t>{outputs});
}

at::Tensor Linear::operator()(const at::Tensor& input) const {
  const std::optional<at::Tensor> added =
      bias ? std::optional<at::Tensor>(bias->value) : std::nullopt;
  if (!weight.arranged.empty()) return onednn_linear(input, weight.arranged.front(), added);
  return at::linear(input, weight.value, added);
}

void visit_parameters(Linear& linear, const Scope& scope) {
  scope.parameter("weight", linear.weight);
  if (linear.bias) scope.parameter("bias", *linear.bias);
}

}  // namespace ssd1b
