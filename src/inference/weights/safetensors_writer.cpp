#include "inference/weights/safetensors_writer.h"

#include <fstream>
#include <nlohmann/json.hpp>

#include "ssd1b/error.h"

namespace ssd1b {
namespace {

std::string header_of(const std::map<std::string, TensorData>& tensors,
                      const std::map<std::string, std::string>& metadata) {
  nlohmann::ordered_json header = nlohmann::ordered_json::object();
  if (!metadata.empty()) header["__metadata__"] = metadata;
  std::uint64_t offset = 0;
  for (const auto& [name, tensor] : tensors) {
    std::uint64_t bits = static_cast<std::uint64_t>(bits_of(tensor.dtype));
    for (const std::int64_t size : tensor.shape) bits *= static_cast<std::uint64_t>(size);
    if (bits != 8 * tensor.bytes.size()) {
      throw Error(ErrorCode::InternalError,
                  "tensor " + shown(name) + " of shape " + text_of(tensor.shape) + " has " +
                      std::to_string(tensor.bytes.size()) + " bytes: this is a bug");
    }
    header[name] = {{"dtype", name_of(tensor.dtype)},
                    {"shape", tensor.shape},
                    {"data_offsets", {offset, offset + tensor.bytes.size()}}};
    offset += tensor.bytes.size();
  }
  std::string text = header.dump();
  text.resize((text.size() + 7) / 8 * 8, ' ');  // data aligned to 8 bytes, as other writers do
  return text;
}

}  // namespace

void write_safetensors(const std::filesystem::path& path,
                       const std::map<std::string, TensorData>& tensors,
                       const std::map<std::string, std::string>& metadata) {
  const std::string header = header_of(tensors, metadata);
  std::ofstream out(path, std::ios::binary | std::ios::trunc);
  std::string length;
  for (int i = 0; i < 8; ++i) {
    length += static_cast<char>(std::uint64_t{header.size()} >> (8 * i) & 0xff);
  }
  out << length << header;
  for (const auto& [name, tensor] : tensors) {
    out.write(reinterpret_cast<const char*>(tensor.bytes.data()),
              static_cast<std::streamsize>(tensor.bytes.size()));
  }
  out.close();
  if (!out) {
    throw Error(ErrorCode::SystemRefused, path.string() + ": cannot be written");
  }
}

}  // namespace ssd1b
