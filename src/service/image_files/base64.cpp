#include "service/image_files/base64.h"

#include <cstdint>

namespace ssd1b {
namespace {

constexpr char kSigns[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

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

}  // namespace ssd1b
