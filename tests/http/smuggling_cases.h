#pragma once

#include <string>
#include <vector>

namespace ssd1b {

/// Bytes that two readers of HTTP could understand differently.
struct SmugglingCase {
  std::string name;
  std::string bytes;  // a request that would be answered comes behind it
};

/// Each must be answered by one 400, and the connection closed.
std::vector<SmugglingCase> smuggling_cases();

}  // namespace ssd1b
