#pragma once

#include <map>
#include <string>

#include "inference/weights/lora/lora.h"
#include "inference/weights/lora/module_spellings.h"
#include "inference/weights/safetensors_file.h"

namespace ssd1b {

/// The component that a file of PEFT's own is for, which its tensors' names do not say: the one
/// whose class its settings name, else the one whose matrices all fit; `unet` where none does.
/// Throws Error(BadModel) where several fit. `spellings`: of each component.
std::string component_of_peft_file(const SafetensorsFile& file, const LoraTarget& target,
                                   const std::map<std::string, ModuleSpellings>& spellings);

}  // namespace ssd1b
