#include "inference/weights/lora/adapter_config.h"

#include <cmath>
#include <filesystem>

#include "inference/weights/config_document.h"
#include "ssd1b/error.h"

namespace ssd1b {
namespace {

constexpr const char* kMetadataKey = "lora_adapter_metadata";
constexpr const char* kPeftPrefix = "base_model.model.";

/// PEFT's patterns are regular expressions; in files they are names of modules, some behind `^`.
std::string plain_name(const ConfigDocument& document, const std::string& key,
                       const std::string& pattern) {
  const std::string name = pattern.rfind('^', 0) == 0 ? pattern.substr(1) : pattern;
  document.require(name.find_first_of("\\*+?[](){}|^$") == std::string::npos, key,
                   "made of plain names of modules");
  return name;
}

/// `prefix`: what stands before each key, as `unet.`.
AdapterConfig parse(const ConfigDocument& document, const std::string& prefix) {
  for (const char* key : {"use_dora", "lora_bias", "fan_in_fan_out", "use_qalora"}) {
    document.require(!document.optional_boolean(prefix + key).value_or(false), prefix + key,
                     "false (this program merges plain LoRA only)");
  }
  AdapterConfig config;
  config.alpha = document.number(prefix + "lora_alpha");
  config.divides_by_root = document.optional_boolean(prefix + "use_rslora").value_or(false);
  const std::string patterns = prefix + "alpha_pattern";
  if (document.has(patterns)) {
    const ConfigDocument alphas = document.object(patterns);
    for (const std::string& pattern : alphas.keys()) {
      config.alphas[plain_name(document, patterns, pattern)] = alphas.number(pattern);
    }
  }
  return config;
}

bool ends_with_module(const std::string& name, const std::string& end) {
  if (name == end) return true;
  const std::string tail = "." + end;
  return name.size() > tail.size() &&
         name.compare(name.size() - tail.size(), tail.size(), tail) == 0;
}

}  // namespace

double AdapterConfig::factor(const std::string& module, std::int64_t rank) const {
  double used = alpha;
  for (const auto& [end, value] : alphas) {
    if (ends_with_module(module, end)) used = value;
  }
  const auto size = static_cast<double>(rank);
  return used / (divides_by_root ? std::sqrt(size) : size);
}

std::optional<AdapterConfig> read_adapter_config(const SafetensorsFile& file,
                                                 const std::string& component) {
  const auto found = file.metadata().find(kMetadataKey);
  if (found != file.metadata().end()) {
    const ConfigDocument document = ConfigDocument::parse(found->second, file.path());
    if (!document.has(component + ".lora_alpha")) return std::nullopt;
    return parse(document, component + ".");
  }
  const bool is_of_peft = component == "unet" && !file.tensors().empty() &&
                          file.tensors().front().name.rfind(kPeftPrefix, 0) == 0;
  if (!is_of_peft) return std::nullopt;
  const auto document = ConfigDocument::read(file.path().parent_path() / "adapter_config.json");
  document.require(document.optional_text("peft_type").value_or("LORA") == "LORA", "peft_type",
                   "LORA");
  return parse(document, "");
}

}  // namespace ssd1b
