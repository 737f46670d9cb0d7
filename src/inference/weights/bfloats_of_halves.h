#pragma once

#include <cstddef>
#include <cstdint>

namespace ssd1b {

/// Converts `count` float16 to bfloat16, rounding to nearest even: the most frequent conversion,
/// with instructions made for it and in one pass over memory. Returns how many elements, from the
/// first on, are done: whole vectors only, and none where one of those is not finite or where the
/// processor has not the instructions.
std::size_t bfloats_of_halves(const std::uint16_t* halves, std::uint16_t* out, std::size_t count);

}  // namespace ssd1b
