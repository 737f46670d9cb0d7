#pragma once

#include <exception>

namespace ssd1b {

/// Whether it tells of want of memory, in whatever library's words.
bool is_out_of_memory(const std::exception& error);

}  // namespace ssd1b
