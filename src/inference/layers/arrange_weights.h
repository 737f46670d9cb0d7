#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "inference/weights/parameter.h"

namespace ssd1b {

/// Brings filled weights of products into the form in which this CPU multiplies fastest, and frees
/// their values. Weights on other devices, of other uses, or of a dtype that has no faster form
/// here, stay as they are. Made for LoadOptions::on_filled.
class WeightArranger {
 public:
  void operator()(Parameter& parameter);

 private:
  std::vector<at::Tensor> forms_of(const Parameter& parameter);
  at::Tensor kernel_of(const at::Tensor& weight, std::int64_t padding);

  std::map<std::vector<std::int64_t>, bool> layouts_;  // whether kernels of a shape have one
};

}  // namespace ssd1b
