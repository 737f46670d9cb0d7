#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>

namespace ssd1b {

/// An open regular file of a model. Read with pread and never mapped: another user may cut it
/// while we read. Thread-safe once opened.
class RegularFile {
 public:
  /// Symbolic links are followed; a folder, fifo, socket or device is refused, without waiting.
  /// Throws Error(BadModel) that names the file.
  explicit RegularFile(const std::filesystem::path& path);
  ~RegularFile();
  RegularFile(const RegularFile&) = delete;
  RegularFile& operator=(const RegularFile&) = delete;

  const std::filesystem::path& path() const { return path_; }
  std::uint64_t size_bytes() const { return size_bytes_; }

  /// Reads exactly `bytes` bytes from `offset`. Throws Error(BadModel) where the file has become
  /// shorter or the disk fails.
  void read(std::uint64_t offset, void* to, std::size_t bytes) const;

  /// The whole file as text. Throws Error(BadModel) where it is longer than `max_bytes`.
  std::string read_text(std::size_t max_bytes) const;

 private:
  std::filesystem::path path_;
  int descriptor_ = -1;
  std::uint64_t size_bytes_ = 0;
};

}  // namespace ssd1b
