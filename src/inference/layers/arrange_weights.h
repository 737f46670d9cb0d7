#pragma once

#include <c10/core/Device.h>
#include <c10/core/ScalarType.h>

#include <cstdint>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "inference/layers/packed_layout.h"
#include "inference/weights/arranger.h"
#include "inference/weights/parameter.h"

namespace ssd1b {

/// Brings weights of products into the form in which their device multiplies fastest, and frees
/// their values: on the CPU oneDNN's, on a GPU the four kernels of an upsampling in one. Weights of
/// other uses, or of a dtype that has no faster form here, stay as they are. Matrices
/// are packed while they are read, where oneDNN's layout of their shape is one that we know.
class WeightArranger : public Arranger {
 public:
  std::optional<RowPacking> packing_of(const Parameter& parameter, at::ScalarType dtype,
                                       const c10::Device& device) override;
  void arrange(Parameter& parameter, bool is_packed) override;

 private:
  using ShapeAndType = std::pair<std::vector<std::int64_t>, at::ScalarType>;

  std::vector<at::Tensor> forms_of(const Parameter& parameter);
  at::Tensor kernel_of(const at::Tensor& weight, std::int64_t padding);

  std::map<ShapeAndType, bool> are_same_;  // kernels of a shape for all sizes of pictures
  std::map<ShapeAndType, std::optional<PackedLayout>> layouts_;  // of matrices
};

/// How many numbers a parameter has on that device once it is arranged; where oneDNN fills its
/// blocks up, some more.
std::int64_t arranged_elements(const Parameter& parameter, const c10::Device& device,
                               at::ScalarType dtype);

}  // namespace ssd1b
