#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "inference/weights/safetensors_file.h"

namespace ssd1b {

/// The longest header that the format allows, in bytes.
constexpr std::uint64_t kMaxHeaderBytes = 100'000'000;

/// What a header says, checked.
struct SafetensorsHeader {
  std::vector<TensorInfo> tensors;  // in the order of their data
  std::map<std::string, std::string> metadata;
};

/// Parses the JSON of a header and checks everything that it says against the size of the file:
/// names once, dtypes known, shapes that do not overflow, data from byte 8 + text.size() to the end
/// without hole or overlap. Pure; memory grows with the number of tensors only. Messages name
/// `file`. Throws Error(BadModel).
SafetensorsHeader parse_safetensors_header(const std::string& text, std::uint64_t file_bytes,
                                           const std::filesystem::path& file);

}  // namespace ssd1b
