#include "inference/weights/lora/adapter_config.h"

#include <algorithm>
#include <cctype>
#include <cmath>

#include "inference/weights/lora/lora_key.h"
#include "inference/weights/name_matching.h"
#include "inference/weights/python_json.h"
#include "inference/weights/regular_file.h"
#include "ssd1b/error.h"

namespace ssd1b {
namespace {

constexpr const char* kMetadataKey = "lora_adapter_metadata";
constexpr std::size_t kMaxPatternBytes = 512;
constexpr std::size_t kMaxSettingsBytes = std::size_t{16} << 20;
constexpr double kStandardAlpha = 8;
constexpr const char* kPeftPrefix = "base_model.model.";

/// Whether Python and ECMAScript read the pattern alike, if both read it: escapes and sets of
/// characters are where they differ without an error.
bool is_read_alike(const std::string& pattern) {
  const std::string shared_escapes = "123456789dDwWsSbBtnrfvxu";
  bool is_in_set = false;
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    const std::string next = pattern.substr(i + 1, 2);
    if (pattern[i] == '\\') {
      const bool is_letter =
          !next.empty() && std::isalnum(static_cast<unsigned char>(next[0])) != 0;
      if (is_letter && shared_escapes.find(next[0]) == std::string::npos) return false;
      ++i;
    } else if (pattern[i] == '[') {
      if (is_in_set || next[0] == ']' || next == "^]") return false;
      is_in_set = true;
    } else if (pattern[i] == ']') {
      is_in_set = false;
    }
  }
  return true;
}

/// As get_pattern_key of peft.utils.other: a regular expression of the end of a module's name,
/// which begins behind a dot. `alphas`: the document that has it as a key.
std::regex pattern_of(const ConfigDocument& alphas, const std::string& pattern) {
  const std::string must = "a regular expression of at most " + std::to_string(kMaxPatternBytes) +
                           " bytes that Python and ECMAScript read alike";
  if (pattern.size() > kMaxPatternBytes || !is_read_alike(pattern)) alphas.fail_key(pattern, must);
  try {
    return std::regex("(.*\\.)?(" + pattern + ")");
  } catch (const std::regex_error&) {
    alphas.fail_key(pattern, must);
  }
}

std::string in_lower_case(std::string text) {
  for (char& each : text) each = static_cast<char>(std::tolower(static_cast<unsigned char>(each)));
  return text;
}

/// PEFT changes the model's own weights too when it loads an adapter that began in such a way; in
/// another case it takes olora alone and fails of the others.
void refuse_what_changes_the_base(const ConfigDocument& document, const std::string& key) {
  if (!document.has_text(key)) return;
  const std::string start = in_lower_case(document.text(key));
  for (const char* each : {"pissa", "olora", "corda", "loftq"}) {
    document.require(!starts_with(start, each), key,
                     "true, false, gaussian or orthogonal, for others change the weights of the "
                     "model (PEFT makes a plain LoRA of it: save_pretrained with "
                     "path_initial_model_for_weight_conversion)");
  }
}

/// `prefix`: what stands before each key, as `unet.`.
AdapterConfig parse(const AdapterSettings& settings, const std::string& prefix) {
  const ConfigDocument& document = settings.document;
  for (const char* key : {"use_dora", "lora_bias", "use_qalora"}) {
    document.require(!document.optional_boolean(prefix + key).value_or(false), prefix + key,
                     "false (this program merges plain LoRA only)");
  }
  for (const char* key : {"alora_invocation_tokens", "arrow_config", "kasa_config", "use_bdlora"}) {
    document.require(!document.has(prefix + key), prefix + key,
                     "null (this program merges plain LoRA only)");
  }
  refuse_what_changes_the_base(document, prefix + "init_lora_weights");
  AdapterConfig config;
  config.alpha = document.optional_number(prefix + "lora_alpha").value_or(kStandardAlpha);
  config.divides_by_root = document.optional_boolean(prefix + "use_rslora").value_or(false);
  const std::string patterns = prefix + "alpha_pattern";
  if (document.has(patterns)) {
    const ConfigDocument alphas = document.object(patterns);
    for (const std::string& pattern : keys_in_order(settings.text, patterns)) {
      config.alphas.emplace_back(pattern_of(alphas, pattern), alphas.number(pattern));
    }
  }
  return config;
}

bool has_start(const std::vector<std::string>& keys, const std::string& start) {
  return std::any_of(keys.begin(), keys.end(),
                     [&](const std::string& key) { return starts_with(key, start); });
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

AdapterSettings read_peft_settings(const SafetensorsFile& file) {
  const std::filesystem::path settings = file.path().parent_path() / "adapter_config.json";
  std::error_code failed;
  if (!std::filesystem::exists(settings, failed)) {
    throw Error(ErrorCode::BadModel,
                file.path().string() +
                    ": a file of PEFT's own must have adapter_config.json beside it, which says "
                    "how much the LoRA counts (lora_alpha), got none");
  }
  const std::string text = RegularFile(settings).read_text(kMaxSettingsBytes);
  return {ConfigDocument::parse(text, settings), text};
}

std::optional<AdapterConfig> read_adapter_config(const SafetensorsFile& file,
                                                 const std::string& component) {
  const auto found = file.metadata().find(kMetadataKey);
  if (found != file.metadata().end()) {
    const AdapterSettings settings = {ConfigDocument::parse(found->second, file.path()),
                                      found->second};
    const std::string prefix = component + ".";
    if (has_start(settings.document.keys(), prefix)) return parse(settings, prefix);
    if (names_component(file.tensors().front().name)) {
      settings.document.fail(prefix + "lora_alpha",
                             "given beside the other settings in " + std::string(kMetadataKey) +
                                 ", for the file has matrices of " + component);
    }
    // unet.save_lora_adapter names the component nowhere.
    return parse(settings, "");
  }
  if (!is_peft_file(file)) return std::nullopt;
  const AdapterSettings settings = read_peft_settings(file);
  settings.document.require(settings.document.optional_text("peft_type").value_or("LORA") == "LORA",
                            "peft_type", "LORA");
  return parse(settings, "");
}

}  // namespace ssd1b
