#pragma once

#include <string>

#include "ssd1b/image.h"

namespace ssd1b {

/// The picture as a lossy WebP file. `comment` becomes the Exif UserComment where it is not empty.
/// Throws Error(InvalidValue) for a quality outside 1 to 100. Thread-safe.
std::string encode_webp(const Image& image, int quality, const std::string& comment = "");

}  // namespace ssd1b
