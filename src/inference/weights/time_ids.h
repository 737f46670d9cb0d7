#pragma once

#include <cstdint>

namespace ssd1b {

/// The numbers of SDXL's micro-conditioning: original height and width, crop at the top and left,
/// target height and width.
constexpr std::int64_t kTimeIds = 6;

}  // namespace ssd1b
