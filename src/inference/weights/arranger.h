#pragma once

#include <c10/core/Device.h>
#include <c10/core/ScalarType.h>

#include <cstdint>
#include <functional>
#include <optional>

#include "inference/weights/parameter.h"

namespace ssd1b {

/// How rows of a parameter can be brought into their device's form as soon as they are read.
struct RowPacking {
  std::int64_t rows = 0;  // that are packed at once; the parameter has a multiple of them
  /// From `rows` rows one after another to as many bytes in another order. Threads call it at once.
  std::function<void(const void* plain, void* packed)> pack;
};

/// Brings weights into the form in which their device multiplies fastest, while they are filled.
class Arranger {
 public:
  virtual ~Arranger() = default;

  /// Nullopt where the form can only be made of the whole value.
  virtual std::optional<RowPacking> packing_of(const Parameter& parameter, at::ScalarType dtype,
                                               const c10::Device& device) = 0;
  /// Of a parameter, or a stack of them, that has its value, on its device; may put another form in
  /// its place. With `is_packed` the value's bytes are those of packing_of.
  virtual void arrange(Parameter& parameter, bool is_packed) = 0;
};

}  // namespace ssd1b
