#include "service/image_files/base64.h"

#include <cstdint>

namespace ssd1b {
namespace {

constexpr char kSigns[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

}  // namespace

std::string base64_of(std::string_view bytes) {
  std::string text((bytes.size() + 2) / 3 * 4, '=');
  char* out = text.data();
  for (std::size_t at = 0; at < bytes.size(); at += 3) {
    const std::size_t count = bytes.size() - at < 3 ? bytes.size() - at : 3;
    std::uint32_t group = 0;
    for (std::size_t i = 0; i < 3; ++i) {
      const std::uint32_t byte = i < count ? static_cast<std::uint8_t>(bytes[at + i]) : 0u;
      group = group << 8 | byte;
    }
    for (std::size_t i = 0; i <= count; ++i) out[i] = kSigns[group >> (18 - 6 * i) & 0x3F];
    out += 4;
  }
  return text;
}

}  // namespace ssd1b
