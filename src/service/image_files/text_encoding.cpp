#include "service/image_files/text_encoding.h"

#include "ssd1b/error.h"
#include "utf8/utf8.h"

namespace ssd1b {
namespace {

[[noreturn]] void refuse(std::size_t offset) {
  throw Error(ErrorCode::InvalidValue,
              "text in an image file must be UTF-8, got a byte that is none at offset " +
                  std::to_string(offset));
}

char high_byte(char32_t unit) { return static_cast<char>(unit >> 8 & 0xFF); }
char low_byte(char32_t unit) { return static_cast<char>(unit & 0xFF); }

}  // namespace

std::u32string code_points_of(std::string_view text) {
  std::u32string code_points;
  code_points.reserve(text.size());
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t length = utf8_length(text.substr(at));
    if (length == 0) refuse(at);
    const auto first = static_cast<unsigned char>(text[at]);
    char32_t code_point = length == 1 ? first : first & (0x7Fu >> length);
    for (std::size_t i = 1; i < length; ++i) {
      code_point = code_point << 6 | (static_cast<unsigned char>(text[at + i]) & 0x3Fu);
    }
    code_points += code_point;
    at += length;
  }
  return code_points;
}

std::optional<std::string> latin1_of(std::u32string_view text) {
  std::string bytes;
  bytes.reserve(text.size());
  for (const char32_t code_point : text) {
    if (code_point > 0xFF) return std::nullopt;
    bytes += low_byte(code_point);
  }
  return bytes;
}

std::string utf16_of(std::u32string_view text) {
  std::string bytes;
  bytes.reserve(text.size() * 2);
  const auto add = [&bytes](char32_t unit) { (bytes += high_byte(unit)) += low_byte(unit); };
  for (const char32_t code_point : text) {
    if (code_point < 0x10000) {
      add(code_point);
      continue;
    }
    add(0xD800 + ((code_point - 0x10000) >> 10));
    add(0xDC00 + ((code_point - 0x10000) & 0x3FF));
  }
  return bytes;
}

}  // namespace ssd1b
