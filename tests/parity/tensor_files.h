#pragma once

#include <ATen/core/Tensor.h>

#include <filesystem>
#include <map>
#include <string>

namespace ssd1b {

using NamedTensors = std::map<std::string, at::Tensor>;

/// Every tensor of a safetensors file of F32, I64 or U8.
NamedTensors read_tensors(const std::filesystem::path& path);

/// Floating tensors become F32.
void write_tensors(const std::filesystem::path& path, const NamedTensors& tensors);

}  // namespace ssd1b
