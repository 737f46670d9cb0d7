#pragma once

#include <c10/core/Device.h>
#include <c10/core/ScalarType.h>

#include <cstdint>
#include <map>
#include <vector>

#include "inference/weights/parameter.h"

namespace ssd1b {

/// Brings filled weights of products into the form in which their device multiplies fastest, and
/// frees their values: on the CPU oneDNN's, on a GPU the four kernels of an upsampling in one.
/// Weights of other uses, or of a dtype that has no faster form here, stay as they are. Made for
/// LoadOptions::on_filled.
class WeightArranger {
 public:
  void operator()(Parameter& parameter);

 private:
  std::vector<at::Tensor> forms_of(const Parameter& parameter);
  at::Tensor kernel_of(const at::Tensor& weight, std::int64_t padding);

  std::map<std::vector<std::int64_t>, bool> layouts_;  // whether kernels of a shape have one
};

/// How many numbers a parameter has on that device once it is arranged; where oneDNN fills its
/// blocks up, some more.
std::int64_t arranged_elements(const Parameter& parameter, const c10::Device& device,
                               at::ScalarType dtype);

}  // namespace ssd1b
