#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace ssd1b {

/// Base64 of RFC 4648, section 4, with padding and without line breaks.
std::string base64_of(std::string_view bytes);

/// The bytes that a text in Base64 holds, its padding there or not; nullopt for any other text.
std::optional<std::string> bytes_of_base64(std::string_view text);

}  // namespace ssd1b
