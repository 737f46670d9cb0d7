#pragma once

#include <string>
#include <vector>

namespace ssd1b {

/// A file that is no safetensors file, or one that must not be believed.
struct BadFile {
  std::string what;
  std::string bytes;
  std::string says;  // part of the refusal
};

std::vector<BadFile> bad_files();

}  // namespace ssd1b
