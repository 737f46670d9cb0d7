#pragma once

#include <string>

namespace ssd1b {

/// A TIFF structure, as Exif has it, whose only entry is the UserComment `text` (UTF-8): in ASCII
/// where that is enough, else in UTF-16. Throws Error(InvalidValue) for a text that is not UTF-8.
std::string exif_with_comment(const std::string& text);

}  // namespace ssd1b
