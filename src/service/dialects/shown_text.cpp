#include "service/dialects/shown_text.h"

#include <cstddef>

namespace ssd1b {
namespace {

constexpr std::size_t kMaxShownBytes = 64;

}  // namespace

std::string shown(std::string text) {
  std::string end_mark;
  if (text.size() > kMaxShownBytes) {
    std::size_t end = kMaxShownBytes;
    while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
    text.resize(end);
    end_mark = "...";
  }
  for (char& each : text) {
    const auto byte = static_cast<unsigned char>(each);
    if (byte < 0x20 || byte == 0x7F) each = '?';
  }
  return text + end_mark;
}

}  // namespace ssd1b
