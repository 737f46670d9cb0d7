#include "service/image_files/exif.h"

#include <algorithm>

#include "service/image_files/text_encoding.h"

namespace ssd1b {
namespace {

// Exif 2.32, TIFF 6.0; all numbers high byte first ("MM").
constexpr std::size_t kExifPointerTag = 0x8769;
constexpr std::size_t kUserCommentTag = 0x9286;
constexpr std::size_t kLongType = 4;
constexpr std::size_t kUndefinedType = 7;
constexpr std::size_t kHeaderSize = 8;
constexpr std::size_t kFolderSize = 2 + 12 + 4;  // a count, one entry, no next folder

std::string big_endian(std::size_t value, int bytes) {
  std::string text;
  for (int shift = 8 * (bytes - 1); shift >= 0; shift -= 8) {
    text += static_cast<char>(value >> shift & 0xFF);
  }
  return text;
}

/// An image file directory with one entry.
std::string folder(std::size_t tag, std::size_t type, std::size_t count, std::size_t value) {
  return big_endian(1, 2) + big_endian(tag, 2) + big_endian(type, 2) + big_endian(count, 4) +
         big_endian(value, 4) + big_endian(0, 4);
}

std::string comment_of(const std::string& text) {
  const std::u32string signs = code_points_of(text);
  const bool is_ascii =
      std::all_of(signs.begin(), signs.end(), [](char32_t each) { return each < 0x80; });
  return is_ascii ? std::string("ASCII\0\0\0", 8) + text
                  : std::string("UNICODE\0", 8) + utf16_of(signs);
}

}  // namespace

std::string exif_with_comment(const std::string& text) {
  const std::string comment = comment_of(text);
  constexpr std::size_t kExifFolder = kHeaderSize + kFolderSize;
  constexpr std::size_t kComment = kExifFolder + kFolderSize;
  return "MM" + big_endian(42, 2) + big_endian(kHeaderSize, 4) +
         folder(kExifPointerTag, kLongType, 1, kExifFolder) +
         folder(kUserCommentTag, kUndefinedType, comment.size(), kComment) + comment;
}

}  // namespace ssd1b
