#pragma once

#include <string_view>

namespace ssd1b {

inline bool starts_with(std::string_view name, std::string_view start) {
  return name.substr(0, start.size()) == start;
}

inline bool ends_with(std::string_view name, std::string_view end) {
  return name.size() >= end.size() && name.substr(name.size() - end.size()) == end;
}

}  // namespace ssd1b
