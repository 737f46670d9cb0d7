#pragma once

#include <string>
#include <vector>

#include "inference/weights/lora/lora.h"

namespace ssd1b {

/// A tensor of a LoRA file whose module the model has not.
struct Misplaced {
  std::string tensor;
  std::string component;
  std::string module;  // as the file spells it
};

/// Throws Error(BadModel) that lists tensors without a place and, where they show what the LoRA was
/// made for, says that first.
[[noreturn]] void refuse_misplaced(const SafetensorsFile& file,
                                   const std::vector<Misplaced>& misplaced,
                                   const LoraTarget& target);

}  // namespace ssd1b
