#pragma once

#include <nlohmann/json.hpp>
#include <string>

namespace ssd1b {

using Json = nlohmann::json;

/// Reads one JSON text strictly: no byte order mark, no comments, nothing behind it, at most 32
/// levels deep, numbers within what a double or 64 bits hold. A number without a fraction, however
/// it is written (`2`, `2.0`, `2e0`), comes out as an integer, exactly. Throws Error(InvalidJson)
/// with the byte's position, or Error(DuplicateField) for a name that stands twice in one object,
/// on any level.
Json parse_json(const std::string& text);

/// The text of a reply. Never throws: bytes that are not UTF-8 become U+FFFD.
std::string json_text(const Json& value);

}  // namespace ssd1b
