#pragma once

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "inference/weights/parameter.h"

namespace ssd1b {

/// Fills every parameter with noise, stacks as the loader does.
class NoiseFiller : public ParameterVisitor {
 public:
  void visit(const std::string&, Parameter& parameter) override {
    if (!parameter.value.defined()) parameter.value = at::randn(parameter.shape) * 0.1;
  }
  void stack(Parameter& whole, std::initializer_list<Parameter*> parts) override {
    std::int64_t rows = 0;
    for (const Parameter* part : parts) rows += part->shape[0];
    whole.shape[0] = rows;
    whole.value = at::randn(whole.shape) * 0.1;
    rows = 0;
    for (Parameter* part : parts) {
      part->value = whole.value.narrow(0, rows, part->shape[0]);
      rows += part->shape[0];
    }
  }
};

template <typename Module>
void fill(Module& module) {
  NoiseFiller filler;
  visit_parameters(module, Scope(filler, ""));
}

inline double difference(const at::Tensor& got, const at::Tensor& wanted) {
  EXPECT_EQ(got.sizes(), wanted.sizes());
  return (got - wanted).abs().max().item<double>();
}

}  // namespace ssd1b
