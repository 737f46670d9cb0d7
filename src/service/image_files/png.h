#pragma once

#include <string>
#include <utility>
#include <vector>

#include "ssd1b/image.h"

namespace ssd1b {

/// A keyword and its text, both UTF-8.
using PngText = std::vector<std::pair<std::string, std::string>>;

/// The picture as a PNG file, lossless. Each text becomes a chunk before the pixels: tEXt where it
/// is Latin-1, else iTXt. Throws Error(InvalidValue) for a keyword that PNG does not allow (1 to 79
/// signs of Latin-1, single spaces inside only) and for text with a zero byte. Thread-safe.
std::string encode_png(const Image& image, const PngText& text = {});

}  // namespace ssd1b
