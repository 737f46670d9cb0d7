#include "apps/picture_files.h"

#include <cerrno>
#include <cstring>
#include <fstream>

#include "ssd1b/error.h"

namespace ssd1b {
namespace {

/// Of what errno says, where it says something.
[[noreturn]] void refuse(const std::filesystem::path& file) {
  throw Error(ErrorCode::SystemRefused,
              file.string() + " cannot be written" +
                  (errno != 0 ? std::string(": ") + std::strerror(errno) : std::string()));
}

}  // namespace

std::filesystem::path numbered(const std::filesystem::path& file, int index, int count) {
  if (count == 1) return file;
  const std::string number = "-" + std::to_string(index + 1);
  return file.parent_path() / (file.stem().string() + number + file.extension().string());
}

void write_file(const std::filesystem::path& file, const std::string& bytes) {
  errno = 0;
  std::ofstream stream(file, std::ios::binary | std::ios::trunc);
  stream.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  stream.close();
  if (!stream) refuse(file);
}

void check_can_write(const std::filesystem::path& file) {
  std::error_code ignored;
  // A link that leads nowhere is there too: it must stay.
  const bool was_there = std::filesystem::exists(std::filesystem::symlink_status(file, ignored));
  errno = 0;
  if (!std::ofstream(file, std::ios::binary | std::ios::app)) refuse(file);
  if (!was_there) std::filesystem::remove(file, ignored);
}

}  // namespace ssd1b
