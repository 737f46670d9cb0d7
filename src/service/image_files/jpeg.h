#pragma once

#include <string>

#include "ssd1b/image.h"

namespace ssd1b {

/// The picture as a baseline JPEG file. From quality 90 on colours keep their full resolution
/// (4:4:4): who asks for that much does not want the blurred edges of 4:2:0, which costs a third
/// less and is what quality below 90 gets. `comment` becomes the Exif UserComment where it is not
/// empty. Throws Error(InvalidValue) for a quality outside 1 to 100 and a comment that does not fit
/// into one segment (some 32,000 signs). Thread-safe.
std::string encode_jpeg(const Image& image, int quality, const std::string& comment = "");

}  // namespace ssd1b
