#pragma once

#include <cstdint>
#include <optional>
#include <regex>
#include <string>
#include <utility>
#include <vector>

#include "inference/weights/config_document.h"
#include "inference/weights/safetensors_file.h"

namespace ssd1b {

/// PEFT's LoraConfig, as far as it says how much a LoRA weighs.
struct AdapterConfig {
  double alpha = 1.0;  // lora_alpha
  /// alpha_pattern: the first that a module's name matches counts, in the order of the settings.
  std::vector<std::pair<std::regex, double>> alphas;
  bool divides_by_root = false;  // use_rslora: by the root of the rank

  /// What `up down` of a module is multiplied with.
  double factor(const std::string& module, std::int64_t rank) const;
};

/// Whether PEFT wrote the file itself (adapter_model.safetensors), with its settings beside it.
bool is_peft_file(const SafetensorsFile& file);

/// Settings and the text that they were parsed from, whose order of patterns counts.
struct AdapterSettings {
  ConfigDocument document;
  std::string text;
};

/// adapter_config.json beside a file of PEFT's own.
AdapterSettings read_peft_settings(const SafetensorsFile& file);

/// The settings of a component's LoRA where its file says them: in its metadata, as diffusers
/// writes them, or for PEFT's own files in adapter_config.json beside it. nullopt: it says none.
/// Throws Error(BadModel) for a setting that changes pictures and is not known here, and where it
/// says them of other components only.
std::optional<AdapterConfig> read_adapter_config(const SafetensorsFile& file,
                                                 const std::string& component);

}  // namespace ssd1b
