#pragma once

#include <string>
#include <string_view>

namespace ssd1b {

/// Base64 of RFC 4648, section 4, with padding and without line breaks.
std::string base64_of(std::string_view bytes);

}  // namespace ssd1b
