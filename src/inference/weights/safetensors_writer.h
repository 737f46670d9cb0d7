#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "inference/weights/safetensors_file.h"

namespace ssd1b {

/// One tensor to write; `bytes` are its elements, little-endian, row-major.
struct TensorData {
  Dtype dtype = Dtype::F32;
  std::vector<std::int64_t> shape;
  std::vector<std::uint8_t> bytes;
};

/// Writes the tensors in the order of their names. An existing file is replaced. Throws
/// Error(SystemRefused) where the file cannot be written, Error(InternalError) where bytes and
/// shape do not agree.
void write_safetensors(const std::filesystem::path& path,
                       const std::map<std::string, TensorData>& tensors,
                       const std::map<std::string, std::string>& metadata = {});

}  // namespace ssd1b
