#pragma once

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "inference/weights/safetensors_writer.h"
#include "ssd1b/error.h"
#include "support/temporary_folder.h"

namespace ssd1b {

inline void write_text(const std::filesystem::path& file, const std::string& text) {
  std::filesystem::create_directories(file.parent_path());
  std::ofstream(file, std::ios::binary | std::ios::trunc) << text;
}

/// A header length as a file begins with it.
inline std::string length_text(std::uint64_t length) {
  std::string text;
  for (int i = 0; i < 8; ++i) text += static_cast<char>(length >> (8 * i) & 0xff);
  return text;
}

/// The bytes of a file with this header and that many bytes of data.
inline std::string file_text(const std::string& header, std::size_t data_bytes) {
  return length_text(header.size()) + header + std::string(data_bytes, '\x01');
}

/// A float32 tensor that counts up from `first` by 0.5.
inline TensorData float_data(std::vector<std::int64_t> shape, float first) {
  TensorData tensor{Dtype::F32, std::move(shape), {}};
  std::int64_t count = 1;
  for (const std::int64_t size : tensor.shape) count *= size;
  for (std::int64_t i = 0; i < count; ++i) {
    const float value = first + 0.5F * static_cast<float>(i);
    const auto* bytes = reinterpret_cast<const std::uint8_t*>(&value);
    tensor.bytes.insert(tensor.bytes.end(), bytes, bytes + sizeof value);
  }
  return tensor;
}

/// The message of the Error(BadModel) that `act` throws; another outcome as a text in brackets.
template <typename Act>
std::string refusal_of(Act act) {
  try {
    act();
  } catch (const Error& error) {
    if (error.code() == ErrorCode::BadModel) return error.what();
    return std::string("[") + name_of(error.code()) + "] " + error.what();
  }
  return "[no error]";
}

}  // namespace ssd1b
