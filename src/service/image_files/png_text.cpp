#include "service/image_files/png_text.h"

#include <libdeflate.h>

#include <cstdint>
#include <optional>

#include "ssd1b/error.h"

namespace ssd1b {
namespace {

constexpr std::string_view kSignature("\x89PNG\r\n\x1A\n", 8);
constexpr std::size_t kAroundData = 12;  // length, type and checksum

struct Chunk {
  std::string_view type;
  std::string_view data;
};

[[noreturn]] void refuse(const std::string& what) {
  throw Error(ErrorCode::InvalidValue, "a PNG file must be whole, got one whose " + what);
}

std::uint32_t big_endian(std::string_view bytes) {
  std::uint32_t value = 0;
  for (std::size_t i = 0; i < 4; ++i) value = value << 8 | static_cast<std::uint8_t>(bytes[i]);
  return value;
}

/// The first chunk of what is left of a file, which loses it.
Chunk take_chunk(std::string_view& left) {
  if (left.size() < kAroundData) refuse("end is missing");
  const std::uint32_t length = big_endian(left);
  if (length > left.size() - kAroundData) refuse("end is missing");
  const std::string_view type_and_data = left.substr(4, 4 + length);
  const std::uint32_t sum = libdeflate_crc32(0, type_and_data.data(), type_and_data.size());
  if (sum != big_endian(left.substr(8 + length))) refuse("checksum is wrong");
  left.remove_prefix(kAroundData + length);
  return {type_and_data.substr(0, 4), type_and_data.substr(4)};
}

std::string utf8_of_latin1(std::string_view latin1) {
  std::string text;
  for (const char c : latin1) {
    const auto byte = static_cast<std::uint8_t>(c);
    if (byte < 0x80) {
      text += c;
    } else {
      text += static_cast<char>(0xC0 | byte >> 6);
      text += static_cast<char>(0x80 | (byte & 0x3F));
    }
  }
  return text;
}

/// What comes before the next zero byte, which both leave `left`; nullopt where there is none.
std::optional<std::string_view> take_field(std::string_view& left) {
  const std::size_t end = left.find('\0');
  if (end == std::string_view::npos) return std::nullopt;
  const std::string_view field = left.substr(0, end);
  left.remove_prefix(end + 1);
  return field;
}

void add_text(const Chunk& chunk, PngText& texts) {
  std::string_view left = chunk.data;
  const auto keyword = take_field(left);
  if (!keyword) refuse("text has no keyword");
  if (chunk.type == "tEXt") {
    texts.emplace_back(utf8_of_latin1(*keyword), utf8_of_latin1(left));
    return;
  }
  if (left.size() < 2) refuse("text is cut");
  const bool is_compressed = left[0] != 0;
  left.remove_prefix(2);
  if (!take_field(left) || !take_field(left)) refuse("text is cut");  // language, translation
  if (!is_compressed) texts.emplace_back(utf8_of_latin1(*keyword), std::string(left));
}

}  // namespace

PngText read_png_text(std::string_view file) {
  if (file.substr(0, kSignature.size()) != kSignature) {
    throw Error(ErrorCode::InvalidValue, "the file must be a PNG file, got another kind");
  }
  file.remove_prefix(kSignature.size());
  PngText texts;
  for (bool is_first = true;; is_first = false) {
    const Chunk chunk = take_chunk(file);
    if (is_first && chunk.type != "IHDR") refuse("header is missing");
    if (chunk.type == "IEND") return texts;
    if (chunk.type == "tEXt" || chunk.type == "iTXt") add_text(chunk, texts);
  }
}

}  // namespace ssd1b
