#pragma once

#include <string>

#include "ssd1b/image.h"

namespace ssd1b {

/// The picture as a PNG file by stb_image_write as it comes: its own deflate, its own choice of
/// filters.
std::string stb_own_png(const Image& image);

}  // namespace ssd1b
