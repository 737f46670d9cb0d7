#include "inference/weights/lora/adapter_config.h"

#include <algorithm>
#include <cmath>

#include "inference/weights/name_matching.h"

namespace ssd1b {
namespace {

constexpr const char* kMetadataKey = "lora_adapter_metadata";
constexpr std::size_t kMaxPatternBytes = 512;
constexpr const char* kPeftPrefix = "base_model.model.";

/// As get_pattern_key of peft.utils.other: a regular expression of the end of a module's name,
/// which begins behind a dot.
std::regex pattern_of(const ConfigDocument& document, const std::string& key,
                      const std::string& pattern) {
  const std::string must = "made of regular expressions of at most " +
                           std::to_string(kMaxPatternBytes) + " bytes, as ECMAScript has them";
  document.require(pattern.size() <= kMaxPatternBytes, key, must);
  try {
    return std::regex("(.*\\.)?(" + pattern + ")");
  } catch (const std::regex_error&) {
    document.fail(key, must);
  }
}

/// PEFT changes the model's own weights too when it loads an adapter that began in such a way.
void refuse_what_changes_the_base(const ConfigDocument& document, const std::string& key) {
  if (!document.has_text(key)) return;
  const std::string start = document.text(key);
  for (const char* each : {"pissa", "olora", "corda", "loftq"}) {
    document.require(!starts_with(start, each), key,
                     "true, false, gaussian or orthogonal, for others change the weights of the "
                     "model (PEFT makes a plain LoRA of it: save_pretrained with "
                     "path_initial_model_for_weight_conversion)");
  }
}

/// `prefix`: what stands before each key, as `unet.`.
AdapterConfig parse(const ConfigDocument& document, const std::string& prefix) {
  for (const char* key : {"use_dora", "lora_bias", "fan_in_fan_out", "use_qalora"}) {
    document.require(!document.optional_boolean(prefix + key).value_or(false), prefix + key,
                     "false (this program merges plain LoRA only)");
  }
  refuse_what_changes_the_base(document, prefix + "init_lora_weights");
  AdapterConfig config;
  config.alpha = document.number(prefix + "lora_alpha");
  config.divides_by_root = document.optional_boolean(prefix + "use_rslora").value_or(false);
  const std::string patterns = prefix + "alpha_pattern";
  if (document.has(patterns)) {
    const ConfigDocument alphas = document.object(patterns);
    for (const std::string& pattern : alphas.keys()) {
      config.alphas.emplace_back(pattern_of(document, patterns, pattern), alphas.number(pattern));
    }
  }
  return config;
}

/// Newer releases of transformers have the text model's parts without that name before them.
std::string without_text_model(const std::string& module) {
  const std::string start = "text_model.";
  return starts_with(module, start) ? module.substr(start.size()) : module;
}

}  // namespace

double AdapterConfig::factor(const std::string& module, std::int64_t rank) const {
  const auto first = std::find_if(alphas.begin(), alphas.end(), [&](const auto& each) {
    return std::regex_match(module, each.first) ||
           std::regex_match(without_text_model(module), each.first);
  });
  const double used = first == alphas.end() ? alpha : first->second;
  const auto size = static_cast<double>(rank);
  return used / (divides_by_root ? std::sqrt(size) : size);
}

bool is_peft_file(const SafetensorsFile& file) {
  return !file.tensors().empty() && starts_with(file.tensors().front().name, kPeftPrefix);
}

ConfigDocument read_peft_settings(const SafetensorsFile& file) {
  return ConfigDocument::read(file.path().parent_path() / "adapter_config.json");
}

std::optional<AdapterConfig> read_adapter_config(const SafetensorsFile& file,
                                                 const std::string& component) {
  const auto found = file.metadata().find(kMetadataKey);
  if (found != file.metadata().end()) {
    const ConfigDocument document = ConfigDocument::parse(found->second, file.path());
    if (!document.has(component + ".lora_alpha")) return std::nullopt;
    return parse(document, component + ".");
  }
  if (!is_peft_file(file)) return std::nullopt;
  const ConfigDocument document = read_peft_settings(file);
  document.require(document.optional_text("peft_type").value_or("LORA") == "LORA", "peft_type",
                   "LORA");
  return parse(document, "");
}

}  // namespace ssd1b
