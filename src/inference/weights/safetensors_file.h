#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace ssd1b {

class RegularFile;

/// Element types that a safetensors header may name.
enum class Dtype {
  F4,
  F6E2M3,
  F6E3M2,
  Bool,
  U8,
  I8,
  F8E4M3,
  F8E5M2,
  F8E8M0,
  U16,
  I16,
  F16,
  BF16,
  U32,
  I32,
  F32,
  U64,
  I64,
  F64,
  C64,
};

/// The name in a header, as `F8_E4M3`.
const char* name_of(Dtype dtype);

/// Bits of one element; four and six for the packed types.
int bits_of(Dtype dtype);

/// One tensor of a file, as its header describes it.
struct TensorInfo {
  std::string name;
  Dtype dtype = Dtype::F32;
  std::vector<std::int64_t> shape;
  std::uint64_t offset = 0;  // of the first byte, from the start of the file
  std::uint64_t bytes = 0;
};

/// A safetensors file whose header has been read and checked to the last offset: the tensors fill
/// the rest of the file in order, without hole or overlap. Copies share one open file.
/// Thread-safe once opened.
class SafetensorsFile {
 public:
  /// Reads and checks the header; no tensor data. Blocks on the disk. Symbolic links are followed;
  /// what they lead to must be a regular file. Throws Error(BadModel) with file, tensor, expected
  /// and got.
  static SafetensorsFile open(const std::filesystem::path& path);

  const std::filesystem::path& path() const;
  /// In the order of their data.
  const std::vector<TensorInfo>& tensors() const { return *tensors_; }
  /// nullptr where the file has no tensor of that name.
  const TensorInfo* find(const std::string& name) const;
  const std::map<std::string, std::string>& metadata() const { return *metadata_; }
  std::uint64_t size_bytes() const;

  /// Reads `bytes` bytes from `offset` (from the start of the file). Never a short read: throws
  /// Error(BadModel) where the file ends early (it was cut after it was opened) or the disk fails.
  void read(std::uint64_t offset, void* to, std::size_t bytes) const;

 private:
  std::shared_ptr<const RegularFile> file_;
  std::shared_ptr<const std::vector<TensorInfo>> tensors_;
  std::shared_ptr<const std::map<std::string, std::size_t>> by_name_;
  std::shared_ptr<const std::map<std::string, std::string>> metadata_;
};

/// A name from a file, fit for a message: control characters escaped, long ones cut.
std::string shown(const std::string& name);

/// A shape as messages show it: [2, 3].
std::string text_of(const std::vector<std::int64_t>& shape);

}  // namespace ssd1b
