#pragma once

#include <string_view>

#include "service/image_files/png.h"

namespace ssd1b {

/// The texts that a PNG file holds (tEXt, and iTXt that is not compressed), in UTF-8 and in the
/// file's order; the pixels are not looked at. Throws Error(InvalidValue) for a file that is no
/// PNG, or a broken one. Thread-safe.
PngText read_png_text(std::string_view file);

}  // namespace ssd1b
