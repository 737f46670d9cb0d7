#pragma once

#include <string>

namespace ssd1b {

/// 128 bits that nobody can guess, as 32 hexadecimal digits. Throws Error(SystemRefused).
std::string random_id();

}  // namespace ssd1b
