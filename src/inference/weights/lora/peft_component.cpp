#include "inference/weights/lora/peft_component.h"

#include <optional>
#include <vector>

#include "inference/weights/lora/adapter_config.h"
#include "inference/weights/lora/lora_key.h"

namespace ssd1b {
namespace {

/// The component of the class that the settings say was changed; nullopt where they name none or
/// another. PEFT leaves the class away where it was told the model's task.
std::optional<std::string> component_of_class(const ConfigDocument& settings) {
  if (!settings.has("auto_mapping")) return std::nullopt;
  const auto name = settings.object("auto_mapping").optional_text("base_model_class");
  if (name == "UNet2DConditionModel") return "unet";
  if (name == "CLIPTextModel") return "text_encoder";
  if (name == "CLIPTextModelWithProjection") return "text_encoder_2";
  return std::nullopt;
}

/// Whether the component has all modules of the file, each as many columns wide.
bool fits(const SafetensorsFile& file, const ComponentWeights& weights,
          const ModuleSpellings& spellings) {
  for (const TensorInfo& tensor : file.tensors()) {
    const LoraKey key = read_lora_key(file, tensor.name);
    const std::optional<std::string> module = spellings.find(key.module);
    if (!module) return false;
    if (key.part != LoraPart::Down || tensor.shape.size() < 2) continue;
    if (weights.tensors.at(*module + ".weight").shape[1] != tensor.shape[1]) return false;
  }
  return true;
}

}  // namespace

std::string component_of_peft_file(const SafetensorsFile& file, const LoraTarget& target,
                                   const std::map<std::string, ModuleSpellings>& spellings) {
  const ConfigDocument settings = read_peft_settings(file).document;
  if (const auto component = component_of_class(settings)) return *component;
  std::vector<std::string> fitting;
  for (const auto& [component, weights] : target.components) {
    if (fits(file, *weights, spellings.at(component))) fitting.push_back(component);
  }
  if (fitting.size() > 1) {
    settings.fail("auto_mapping", "an object with a base_model_class, because " + fitting[0] +
                                      " and " + fitting[1] + " have all modules of the LoRA");
  }
  return fitting.empty() ? "unet" : fitting.front();
}

}  // namespace ssd1b
