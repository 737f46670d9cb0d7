#pragma once

#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

namespace ssd1b {

/// The JSON object of a file of a model: strict JSON and what Python's json adds to it, Infinity,
/// -Infinity and NaN. Throws Error(BadModel) that names `file` for another text, for one that nests
/// deeper than 32 and for a key that an object has twice.
nlohmann::json parse_python_json(const std::string& text, const std::filesystem::path& file);

/// The keys of the object that `key` names in such a JSON object, in the text's order, which the
/// parsed object has not; empty where it is none. Of a text that parse_python_json takes.
std::vector<std::string> keys_in_order(const std::string& text, const std::string& key);

}  // namespace ssd1b
