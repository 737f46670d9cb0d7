#include "apps/picture_files.h"

#include <cerrno>
#include <cstring>
#include <fstream>

#include "ssd1b/error.h"

namespace ssd1b {

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
  if (!stream) {
    throw Error(ErrorCode::SystemRefused,
                file.string() + " cannot be written" +
                    (errno != 0 ? std::string(": ") + std::strerror(errno) : std::string()));
  }
}

}  // namespace ssd1b
