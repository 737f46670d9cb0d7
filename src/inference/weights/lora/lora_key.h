#pragma once

#include <string>

#include "inference/weights/safetensors_file.h"

namespace ssd1b {

/// What a tensor of a LoRA file is to its module.
enum class LoraPart { Down, Up, Alpha };

/// The name of a tensor in a LoRA file, taken apart.
struct LoraKey {
  std::string component;  // unet, text_encoder or text_encoder_2
  std::string module;     // as the file spells it, without prefix and ending
  LoraPart part = LoraPart::Down;
};

/// Takes apart the names of kohya (`lora_unet_….lora_down.weight`), PEFT (`unet.….lora_A.weight`)
/// and diffusers, old and new (`unet.….to_q_lora.down.weight`, `….to_q.lora.down.weight`). Names
/// without a prefix are the UNet's. Throws Error(BadModel) for what is no part of a LoRA, by its
/// name where it has one: DoRA, LoHa, LoKr, LoCon with a middle, a LoRA of another architecture.
LoraKey read_lora_key(const SafetensorsFile& file, const std::string& tensor);

/// Whether the name of a tensor begins with that of its component.
bool names_component(const std::string& tensor);

}  // namespace ssd1b
