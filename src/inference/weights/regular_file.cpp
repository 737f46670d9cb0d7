#include "inference/weights/regular_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

#include "ssd1b/error.h"

namespace ssd1b {
namespace {

std::string reason_of(int error_number) {
  return std::error_code(error_number, std::generic_category()).message();
}

const char* kind_of(mode_t mode) {
  if (S_ISDIR(mode)) return "a folder";
  if (S_ISFIFO(mode)) return "a fifo";
  if (S_ISSOCK(mode)) return "a socket";
  return "a device";
}

}  // namespace

RegularFile::RegularFile(const std::filesystem::path& path) : path_(path) {
  // O_NONBLOCK: opening a fifo must not wait for a writer; regular files do not care.
  descriptor_ = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  if (descriptor_ < 0) {
    const int error_number = errno;
    std::error_code ignored;
    const bool dangling = error_number == ENOENT && std::filesystem::is_symlink(path, ignored);
    throw Error(ErrorCode::BadModel,
                path.string() + ": cannot be opened: " +
                    (dangling ? "a symbolic link that leads nowhere" : reason_of(error_number)));
  }
  struct stat status {};
  if (::fstat(descriptor_, &status) != 0 || !S_ISREG(status.st_mode)) {
    ::close(descriptor_);
    throw Error(ErrorCode::BadModel,
                path.string() + ": must be a regular file, got " + kind_of(status.st_mode));
  }
  size_bytes_ = static_cast<std::uint64_t>(status.st_size);
}

RegularFile::~RegularFile() { ::close(descriptor_); }

void RegularFile::read(std::uint64_t offset, void* to, std::size_t bytes) const {
  auto* at = static_cast<char*>(to);
  while (bytes > 0) {
    // Linux reads at most 2 GiB less a page at once.
    const std::size_t wanted = std::min<std::size_t>(bytes, std::size_t{1} << 30);
    const ssize_t got = ::pread(descriptor_, at, wanted, static_cast<off_t>(offset));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) {
      throw Error(ErrorCode::BadModel, path_.string() + ": reading at byte " +
                                           std::to_string(offset) + " failed: " + reason_of(errno));
    }
    if (got == 0) {
      throw Error(ErrorCode::BadModel, path_.string() + ": must hold " + std::to_string(bytes) +
                                           " more bytes at byte " + std::to_string(offset) +
                                           ", got the end: it was cut while it was read");
    }
    at += got;
    offset += static_cast<std::uint64_t>(got);
    bytes -= static_cast<std::size_t>(got);
  }
}

std::string RegularFile::read_text(std::size_t max_bytes) const {
  if (size_bytes_ > max_bytes) {
    throw Error(ErrorCode::BadModel, path_.string() + ": must hold at most " +
                                         std::to_string(max_bytes) + " bytes, got " +
                                         std::to_string(size_bytes_));
  }
  std::string text(size_bytes_, '\0');
  read(0, text.data(), text.size());
  return text;
}

}  // namespace ssd1b
