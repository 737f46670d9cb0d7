#pragma once

#include <cstdint>
#include <vector>

namespace ssd1b {

/// A picture: rows from top to bottom, three bytes (red, green, blue; sRGB) a pixel, no padding.
struct Image {
  int width_px = 0;
  int height_px = 0;
  std::vector<std::uint8_t> rgb;  // 3 * width_px * height_px bytes
};

}  // namespace ssd1b
