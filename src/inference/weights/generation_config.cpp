#include "inference/weights/generation_config.h"

#include <array>

#include "inference/weights/config_document.h"
#include "ssd1b/request_limits.h"
#include "utf8/utf8.h"

namespace ssd1b {
namespace {

constexpr std::array<const char*, 7> kKeys = {
    "steps", "guidance_scale", "width", "height", "scheduler", "negative_prompt", "known_words",
};
constexpr const char* kKeyList =
    "one of steps, guidance_scale, width, height, scheduler, negative_prompt, known_words";

void check_keys(const ConfigDocument& document) {
  for (const std::string& key : document.keys()) {
    bool is_known = false;
    for (const char* known : kKeys) is_known = is_known || key == known;
    if (!is_known) document.fail_key(key, kKeyList);
    // Null is no value but a negative prompt's: a key that says nothing is left out.
    if (!document.has(key) && key != "negative_prompt") document.fail(key, "a value or left out");
  }
}

/// What a request's negative prompt must be too.
bool is_prompt(const std::string& text) {
  return text.size() <= kMaxPromptBytes && find_control_character(text) == std::string::npos;
}

std::optional<int> integer_within(const ConfigDocument& document, const char* key, int low,
                                  int high) {
  const std::optional<std::int64_t> value = document.optional_integer(key);
  if (!value) return std::nullopt;
  document.require(*value >= low && *value <= high, key,
                   "an integer from " + std::to_string(low) + " to " + std::to_string(high));
  return static_cast<int>(*value);
}

}  // namespace

GenerationConfig read_generation_config(const std::filesystem::path& file) {
  GenerationConfig config;
  // A dangling link is no absence: reading it says what is wrong.
  if (std::filesystem::symlink_status(file).type() == std::filesystem::file_type::not_found) {
    return config;
  }
  const ConfigDocument document = ConfigDocument::read(file);
  check_keys(document);
  config.steps = integer_within(document, "steps", 1, kMaxSteps);
  config.guidance_scale = document.optional_number("guidance_scale");
  document.require(!config.guidance_scale || (*config.guidance_scale >= 0.0 &&
                                              *config.guidance_scale <= kMaxGuidanceScale),
                   "guidance_scale", "a number from 0 to 50");
  config.width_px = integer_within(document, "width", kMinSidePx, kMaxSidePx);
  config.height_px = integer_within(document, "height", kMinSidePx, kMaxSidePx);
  config.scheduler = document.optional_text("scheduler");
  config.negative_prompt = document.optional_text("negative_prompt");
  document.require(!config.negative_prompt || is_prompt(*config.negative_prompt), "negative_prompt",
                   "at most 4096 bytes without control characters but tab and newline");
  config.known_words = document.optional_texts("known_words");
  return config;
}

}  // namespace ssd1b
