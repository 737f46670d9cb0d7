#pragma once

#include <string>

namespace ssd1b {

/// The text with its ASCII letters small, whatever the locale.
inline std::string lower_case(std::string text) {
  for (char& c : text) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return text;
}

}  // namespace ssd1b
