#pragma once

#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <string>

namespace ssd1b {

/// The JSON object of a file of a model: strict JSON and what Python's json adds to it, Infinity,
/// -Infinity and NaN. Throws Error(BadModel) that names `file` for another text, for one that nests
/// deeper than 32 and for a key that an object has twice.
nlohmann::json parse_python_json(const std::string& text, const std::filesystem::path& file);

}  // namespace ssd1b
