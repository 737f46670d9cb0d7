#pragma once

#include <cstddef>
#include <string_view>

namespace ssd1b {

/// Bytes of the character at the front of `text`, which is not empty; 0 where it is no well-formed
/// UTF-8: overlong forms, surrogates and values above U+10FFFF are none.
std::size_t utf8_length(std::string_view text);

/// The place of the first control character but tab and newline in a text of UTF-8: C0, DEL and C1
/// (U+0080 to U+009F). npos where there is none.
std::size_t find_control_character(std::string_view text);

}  // namespace ssd1b
