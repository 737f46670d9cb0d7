#include "service/image_files/base64.h"

#include <array>
#include <cstdint>

namespace ssd1b {
namespace {

constexpr char kSigns[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::int8_t kNoSign = -1;

/// What each sign stands for.
std::array<std::int8_t, 256> values_of_signs() {
  std::array<std::int8_t, 256> values{};
  values.fill(kNoSign);
  for (int i = 0; i < 64; ++i) {
    values[static_cast<std::uint8_t>(kSigns[i])] = static_cast<std::int8_t>(i);
  }
  return values;
}

}  // namespace

std::string base64_of(std::string_view bytes) {
  std::string text((bytes.size() + 2) / 3 * 4, '=');
  char* out = text.data();
  const auto byte = [&](std::size_t at) {
    return std::uint32_t{static_cast<std::uint8_t>(bytes[at])};
  };
  const auto put = [&](std::uint32_t group, int signs) {
    for (int i = 0; i < signs; ++i) out[i] = kSigns[group >> (18 - 6 * i) & 0x3F];
    out += 4;
  };
  const std::size_t left = bytes.size() % 3, whole = bytes.size() - left;
  for (std::size_t at = 0; at < whole; at += 3) {
    put(byte(at) << 16 | byte(at + 1) << 8 | byte(at + 2), 4);
  }
  if (left == 1) put(byte(whole) << 16, 2);
  if (left == 2) put(byte(whole) << 16 | byte(whole + 1) << 8, 3);
  return text;
}

std::optional<std::string> bytes_of_base64(std::string_view text) {
  static const std::array<std::int8_t, 256> kValues = values_of_signs();
  if (text.size() % 4 == 0) {
    for (int i = 0; i < 2 && !text.empty() && text.back() == '='; ++i) text.remove_suffix(1);
  }
  if (text.size() % 4 == 1) return std::nullopt;
  std::string bytes;
  bytes.reserve(text.size() / 4 * 3 + 2);
  std::uint32_t group = 0;
  int bits = 0;
  for (const char sign : text) {
    const std::int8_t value = kValues[static_cast<std::uint8_t>(sign)];
    if (value == kNoSign) return std::nullopt;
    group = group << 6 | static_cast<std::uint32_t>(value);
    bits += 6;
    if (bits < 8) continue;
    bits -= 8;
    bytes += static_cast<char>(group >> bits & 0xFF);
  }
  return bytes;
}

}  // namespace ssd1b
