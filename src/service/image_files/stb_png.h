#pragma once

#include <string>

#include "ssd1b/image.h"

namespace ssd1b {

/// The picture as a PNG file of three chunks (IHDR, IDAT, IEND): stb_image_write with libdeflate
/// under it. The picture must have passed check_image. Thread-safe.
std::string stb_png(const Image& image);

}  // namespace ssd1b
