#pragma once

#include <cstddef>
#include <filesystem>
#include <map>
#include <string>

#include "inference/weights/component_weights.h"

namespace ssd1b {

/// What LoRA files are merged into.
struct LoraTarget {
  std::string model_type;                               // for messages: ssd-1b
  std::map<std::string, ComponentWeights*> components;  // unet, text_encoder, text_encoder_2
};

/// Adds the changes of a LoRA file, `scale` times, to the weights that they are for; they are
/// merged when the weights are filled. A folder stands for the file in it that PEFT or diffusers
/// wrote. Reads the header and the alphas only; blocks on the disk.
/// Returns how many modules it changes. Throws Error(BadModel) with file, tensor, expected and got:
/// a tensor that has no place in the model, half a pair, a wrong shape, another kind of file; a
/// LoRA that was made for SDXL is refused as such by a model with fewer blocks.
std::size_t add_lora(const std::filesystem::path& path, double scale, const LoraTarget& target);

}  // namespace ssd1b
