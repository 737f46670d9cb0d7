#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace ssd1b {

using Json = nlohmann::json;

/// Reads one JSON text strictly: no byte order mark, no comments, nothing behind it, at most 32
/// levels deep, numbers within what a double or 64 bits hold. A number without a fraction, however
/// it is written (`2`, `2.0`, `2e0`), comes out as an integer, exactly. Throws Error(InvalidJson)
/// with the byte's position, or Error(DuplicateField) for a name that stands twice in one object,
/// on any level.
Json parse_json(const std::string& text);

/// The number at a path of names (`parameters.seed`) as `text`, which parse_json has taken, writes
/// it; empty where the number has neither fraction nor exponent and fits 64 bits: the document then
/// holds it as it was written.
std::string written_number(std::string_view text, const std::string& path);

}  // namespace ssd1b
