#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <optional>

#include "inference/weights/parameter.h"

namespace ssd1b {

enum class Bias { No, Yes };

/// x W^T + b. With Conv2d the only door to a product.
struct Linear {
  Linear(std::int64_t inputs, std::int64_t outputs, Bias with_bias = Bias::Yes);
  /// [..., inputs] -> [..., outputs]
  at::Tensor operator()(const at::Tensor& input) const;

  Parameter weight;               // [outputs, inputs]
  std::optional<Parameter> bias;  // [outputs]
};

void visit_parameters(Linear& linear, const Scope& scope);

}  // namespace ssd1b
