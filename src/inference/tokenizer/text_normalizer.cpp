#include "inference/tokenizer/text_normalizer.h"

#include <utf8proc.h>

#include <algorithm>
#include <cstdint>
#include <vector>

#include "inference/tokenizer/unicode_tables.h"
#include "ssd1b/error.h"

namespace ssd1b {
namespace {

constexpr char32_t kFirstThatComposes = 0x300;  // below it NFC changes nothing
constexpr auto kComposed = static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_COMPOSE);

bool is_mark(utf8proc_int32_t code_point) {
  return utf8proc_get_property(code_point)->combining_class != 0;
}

/// Canonical decomposition without the canonical order of marks.
std::vector<utf8proc_int32_t> decompose(std::u32string_view text) {
  std::vector<utf8proc_int32_t> parts;
  parts.reserve(text.size() * 2);
  for (const char32_t code_point : text) {
    utf8proc_int32_t each[8];  // no canonical decomposition is longer than 4
    int boundary_class = UTF8PROC_BOUNDCLASS_START;
    const utf8proc_ssize_t count = utf8proc_decompose_char(
        static_cast<utf8proc_int32_t>(code_point), each, 8, kComposed, &boundary_class);
    if (count < 0 || count > 8) {
      throw Error(ErrorCode::InternalError, "a code point does not decompose: this is a bug");
    }
    parts.insert(parts.end(), each, each + count);
  }
  return parts;
}

/// Sorts every run of marks by combining class. utf8proc's own order takes quadratic time.
void order_marks(std::vector<utf8proc_int32_t>& parts) {
  for (auto begin = parts.begin(); begin != parts.end();) {
    begin = std::find_if(begin, parts.end(), is_mark);
    const auto end = std::find_if_not(begin, parts.end(), is_mark);
    std::stable_sort(begin, end, [](utf8proc_int32_t a, utf8proc_int32_t b) {
      return utf8proc_get_property(a)->combining_class < utf8proc_get_property(b)->combining_class;
    });
    begin = end;
  }
}

std::u32string compose_run(std::u32string_view text) {
  const bool is_composed = std::all_of(text.begin(), text.end(),
                                       [](char32_t each) { return each < kFirstThatComposes; });
  if (is_composed) return std::u32string(text);
  std::vector<utf8proc_int32_t> parts = decompose(text);
  order_marks(parts);
  const utf8proc_ssize_t count = utf8proc_normalize_utf32(
      parts.data(), static_cast<utf8proc_ssize_t>(parts.size()), kComposed);
  if (count < 0) throw Error(ErrorCode::InternalError, "a text does not compose: this is a bug");
  return std::u32string(parts.begin(), parts.begin() + count);
}

/// NFC as the reference has it: code points that it does not know part the text into runs.
std::u32string compose(std::u32string_view text) {
  std::u32string composed;
  composed.reserve(text.size());
  for (std::size_t begin = 0; begin < text.size();) {
    std::size_t end = begin;
    while (end < text.size() && !stands_apart(text[end])) ++end;
    composed += compose_run(text.substr(begin, end - begin));
    if (end < text.size()) composed += text[end++];
    begin = end;
  }
  return composed;
}

}  // namespace

std::u32string decode_utf8(std::string_view text) {
  std::u32string code_points;
  code_points.reserve(text.size());
  const auto* bytes = reinterpret_cast<const utf8proc_uint8_t*>(text.data());
  for (std::size_t at = 0; at < text.size();) {
    utf8proc_int32_t code_point = -1;
    const utf8proc_ssize_t length =
        utf8proc_iterate(bytes + at, static_cast<utf8proc_ssize_t>(text.size() - at), &code_point);
    if (length <= 0 || code_point < 0) {
      throw Error(ErrorCode::InvalidValue,
                  "text must be UTF-8, got a byte that is none at offset " + std::to_string(at));
    }
    code_points += static_cast<char32_t>(code_point);
    at += static_cast<std::size_t>(length);
  }
  return code_points;
}

std::string encode_utf8(std::u32string_view text) {
  std::string bytes;
  bytes.reserve(text.size());
  for (const char32_t code_point : text) {
    utf8proc_uint8_t each[4];
    const utf8proc_ssize_t count =
        utf8proc_encode_char(static_cast<utf8proc_int32_t>(code_point), each);
    bytes.append(reinterpret_cast<const char*>(each), static_cast<std::size_t>(count));
  }
  return bytes;
}

std::u32string normalize_text(std::u32string_view text) {
  std::u32string normal;
  normal.reserve(text.size());
  bool is_after_space = false;
  for (const char32_t code_point : compose(text)) {
    const bool is_space = class_of(code_point) == CharacterClass::Space;
    if (is_space && !is_after_space) normal += U' ';
    is_after_space = is_space;
    if (is_space) continue;
    if (code_point == 0x130) {
      normal += U"i\u0307";
    } else {
      normal += lower_case_of(code_point);
    }
  }
  return normal;
}

}  // namespace ssd1b
