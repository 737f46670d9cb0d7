#pragma once

#include <string>

namespace ssd1b {

/// A text of the client's as a message shows it: cut before it gets long, never inside a character;
/// control characters as `?`, for a message ends at a NUL and must not steer a terminal.
std::string shown(std::string text);

}  // namespace ssd1b
