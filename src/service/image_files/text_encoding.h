#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace ssd1b {

/// The code points of a UTF-8 text. Throws Error(InvalidValue) where it is none.
std::u32string code_points_of(std::string_view text);

/// The text in Latin-1, or nothing where it holds signs that Latin-1 lacks.
std::optional<std::string> latin1_of(std::u32string_view text);

/// The text in UTF-16, high bytes first, without a byte order mark.
std::string utf16_of(std::u32string_view text);

}  // namespace ssd1b
