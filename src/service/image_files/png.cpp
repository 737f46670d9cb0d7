#include "service/image_files/png.h"

#include <libdeflate.h>

#include <algorithm>

#include "service/image_files/image_check.h"
#include "service/image_files/stb_png.h"
#include "service/image_files/text_encoding.h"
#include "ssd1b/error.h"

namespace ssd1b {
namespace {

constexpr std::size_t kHeaderEnd = 8 + 25;  // the signature and IHDR

std::string big_endian(std::size_t value) {
  return {static_cast<char>(value >> 24 & 0xFF), static_cast<char>(value >> 16 & 0xFF),
          static_cast<char>(value >> 8 & 0xFF), static_cast<char>(value & 0xFF)};
}

/// Length, type, data and the checksum over type and data.
std::string chunk(const std::string& type, const std::string& data) {
  const std::string body = type + data;
  return big_endian(data.size()) + body + big_endian(libdeflate_crc32(0, body.data(), body.size()));
}

bool is_printable_latin1(char32_t c) {
  return (c >= 0x20 && c <= 0x7E) || (c >= 0xA1 && c <= 0xFF);
}

std::string keyword_bytes(const std::string& keyword) {
  const std::u32string signs = code_points_of(keyword);
  const bool is_allowed = !signs.empty() && signs.size() <= 79 && signs.front() != U' ' &&
                          signs.back() != U' ' && signs.find(U"  ") == std::u32string::npos &&
                          std::all_of(signs.begin(), signs.end(), is_printable_latin1);
  if (!is_allowed) {
    throw Error(ErrorCode::InvalidValue,
                "a keyword of a PNG file must be 1 to 79 printable signs of Latin-1 with single "
                "spaces inside only, got \"" +
                    keyword + "\"");
  }
  return *latin1_of(signs);
}

std::string text_chunk(const std::string& keyword, const std::string& text) {
  const std::string key = keyword_bytes(keyword);
  const std::u32string signs = code_points_of(text);
  if (signs.find(U'\0') != std::u32string::npos) {
    throw Error(ErrorCode::InvalidValue, "text of a PNG file must be free of zero bytes");
  }
  const std::string separator(1, '\0');
  const std::optional<std::string> latin1 = latin1_of(signs);
  if (latin1) return chunk("tEXt", key + separator + *latin1);
  // Flag and method of compression: none; no language, no translated keyword.
  return chunk("iTXt", key + separator + std::string(2, '\0') + separator + separator + text);
}

}  // namespace

std::string encode_png(const Image& image, const PngText& text) {
  check_image(image);
  std::string chunks;
  for (const auto& [keyword, value] : text) chunks += text_chunk(keyword, value);
  std::string file = stb_png(image);
  if (!chunks.empty()) file.insert(kHeaderEnd, chunks);
  return file;
}

}  // namespace ssd1b
