#include "inference/weights/safetensors_file.h"

#include <algorithm>
#include <cstring>

#include "inference/weights/regular_file.h"
#include "inference/weights/safetensors_header.h"
#include "ssd1b/error.h"

namespace ssd1b {
namespace {

constexpr std::size_t kLengthBytes = 8;
constexpr std::size_t kMaxNameInMessage = 200;

/// What a file is that is no safetensors file, where its first bytes tell.
const char* other_format(const std::string& start) {
  const auto begins = [&](const std::string& magic) {
    return start.compare(0, magic.size(), magic) == 0;
  };
  if (begins("PK\x03\x04")) return "a zip archive (a PyTorch pickle checkpoint)";
  if (start.size() > 1 && start[0] == '\x80' && start[1] >= 2 && start[1] <= 5) {
    return "a Python pickle";
  }
  if (begins("GGUF")) return "a GGUF file";
  if (begins("\x89HDF")) return "an HDF5 file";
  if (begins("version https://git-lfs")) return "a Git LFS pointer: the file was not downloaded";
  if (begins("<!DOCTYPE") || begins("<html")) return "a web page: the download failed";
  return nullptr;
}

[[noreturn]] void fail(const RegularFile& file, const std::string& what) {
  throw Error(ErrorCode::BadModel, file.path().string() + ": " + what);
}

/// The header's JSON; the length is checked before anything of that length is allocated.
std::string read_header(const RegularFile& file) {
  std::string start(std::min<std::uint64_t>(file.size_bytes(), 32), '\0');
  file.read(0, start.data(), start.size());
  // A header of 640 bytes begins as a pickle does: what has a { behind its length is no pickle.
  const bool has_brace = start.size() > kLengthBytes && start[kLengthBytes] == '{';
  if (const char* format = has_brace ? nullptr : other_format(start)) {
    fail(file, std::string("must be a safetensors file, got ") + format);
  }
  if (start.size() < kLengthBytes) {
    fail(file, "must hold a header length of 8 bytes, got a file of " +
                   std::to_string(file.size_bytes()) + " bytes");
  }
  std::uint64_t length = 0;  // little-endian
  for (std::size_t i = kLengthBytes; i-- > 0;) {
    length = length << 8 | static_cast<unsigned char>(start[i]);
  }
  if (length > kMaxHeaderBytes) {
    fail(file, "the header must be at most " + std::to_string(kMaxHeaderBytes) +
                   " bytes long, got " + std::to_string(length));
  }
  if (length > file.size_bytes() - kLengthBytes) {
    fail(file, "the header must end within the file of " + std::to_string(file.size_bytes()) +
                   " bytes, got a length of " + std::to_string(length));
  }
  if (length < 2 || !has_brace) {
    fail(file, "the header must be a JSON object that begins with {");
  }
  std::string text(length, '\0');
  file.read(kLengthBytes, text.data(), text.size());
  return text;
}

}  // namespace

SafetensorsFile SafetensorsFile::open(const std::filesystem::path& path) {
  SafetensorsFile opened;
  opened.file_ = std::make_shared<const RegularFile>(path);
  SafetensorsHeader header =
      parse_safetensors_header(read_header(*opened.file_), opened.file_->size_bytes(), path);
  std::map<std::string, std::size_t> by_name;
  for (std::size_t i = 0; i < header.tensors.size(); ++i) by_name[header.tensors[i].name] = i;
  opened.tensors_ = std::make_shared<const std::vector<TensorInfo>>(std::move(header.tensors));
  opened.by_name_ = std::make_shared<const std::map<std::string, std::size_t>>(std::move(by_name));
  opened.metadata_ =
      std::make_shared<const std::map<std::string, std::string>>(std::move(header.metadata));
  return opened;
}

const std::filesystem::path& SafetensorsFile::path() const { return file_->path(); }

std::uint64_t SafetensorsFile::size_bytes() const { return file_->size_bytes(); }

const TensorInfo* SafetensorsFile::find(const std::string& name) const {
  const auto found = by_name_->find(name);
  return found == by_name_->end() ? nullptr : &(*tensors_)[found->second];
}

void SafetensorsFile::read(std::uint64_t offset, void* to, std::size_t bytes) const {
  file_->read(offset, to, bytes);
}

std::string shown(const std::string& name) {
  std::string text = "\"";
  for (const char c : name.substr(0, kMaxNameInMessage)) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x20 && byte != 0x7f && c != '"' && c != '\\') {
      text += c;
      continue;
    }
    constexpr const char* kDigits = "0123456789abcdef";
    text += std::string("\\x") + kDigits[byte >> 4] + kDigits[byte & 15];
  }
  return text + (name.size() > kMaxNameInMessage ? "...\"" : "\"");
}

std::string text_of(const std::vector<std::int64_t>& shape) {
  std::string text = "[";
  for (std::size_t i = 0; i < shape.size(); ++i) {
    text += (i == 0 ? "" : ", ") + std::to_string(shape[i]);
  }
  return text + "]";
}

}  // namespace ssd1b
