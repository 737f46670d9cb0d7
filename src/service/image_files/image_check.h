#pragma once

#include "ssd1b/image.h"

namespace ssd1b {

/// Throws Error(InternalError) for a picture whose bytes do not fit its size, or that has none or
/// more than 16,383 pixels a side (WebP's limit, the lowest of the three formats).
void check_image(const Image& image);

/// Throws Error(InvalidValue, quality) outside 1 to 100.
void check_quality(int quality);

}  // namespace ssd1b
