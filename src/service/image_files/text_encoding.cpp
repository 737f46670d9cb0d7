#include "service/image_files/text_encoding.h"

#include "ssd1b/error.h"

namespace ssd1b {
namespace {

constexpr char32_t kFirstOfLength[] = {0, 0, 0x80, 0x800, 0x10000};  // shorter forms are faults

/// The length of the sequence that this byte begins; 0: it begins none.
std::size_t length_of(unsigned char first) {
  if (first < 0x80) return 1;
  if (first >= 0xC2 && first <= 0xDF) return 2;
  if (first >= 0xE0 && first <= 0xEF) return 3;
  if (first >= 0xF0 && first <= 0xF4) return 4;
  return 0;
}

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
    const auto first = static_cast<unsigned char>(text[at]);
    const std::size_t length = length_of(first);
    if (length == 0 || at + length > text.size()) refuse(at);
    char32_t code_point = length == 1 ? first : first & (0x7Fu >> length);
    for (std::size_t i = 1; i < length; ++i) {
      const auto next = static_cast<unsigned char>(text[at + i]);
      if ((next & 0xC0) != 0x80) refuse(at);
      code_point = code_point << 6 | (next & 0x3Fu);
    }
    const bool is_surrogate = code_point >= 0xD800 && code_point <= 0xDFFF;
    if (code_point < kFirstOfLength[length] || code_point > 0x10FFFF || is_surrogate) refuse(at);
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
