#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace ssd1b {

/// A model's own defaults of a request (generation_config.json); what it does not say is absent.
struct GenerationConfig {
  std::optional<int> steps;
  std::optional<double> guidance_scale;
  std::optional<int> width_px;
  std::optional<int> height_px;
  std::optional<std::string> scheduler;
  std::optional<std::string> negative_prompt;
  std::optional<std::vector<std::string>> known_words;
};

/// Reads the file; one that does not exist says nothing. Throws Error(BadModel) that names file and
/// key for another key, a wrong type or a value out of range.
GenerationConfig read_generation_config(const std::filesystem::path& file);

}  // namespace ssd1b
