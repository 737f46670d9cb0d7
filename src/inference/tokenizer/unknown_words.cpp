#include "inference/tokenizer/unknown_words.h"

#include <utf8proc.h>

#include <algorithm>
#include <set>
#include <string_view>

#include "inference/tokenizer/text_normalizer.h"
#include "inference/tokenizer/unicode_tables.h"

namespace ssd1b {
namespace {

bool is_mark(char32_t code_point) {
  const auto category = utf8proc_category(static_cast<utf8proc_int32_t>(code_point));
  return category == UTF8PROC_CATEGORY_MN || category == UTF8PROC_CATEGORY_MC;
}

/// Letters, numbers and the marks that vowels are in many scripts.
bool is_of_word(char32_t code_point) {
  const CharacterClass what = class_of(code_point);
  return what == CharacterClass::Letter || what == CharacterClass::Number || is_mark(code_point);
}

bool is_apostrophe(char32_t code_point) { return code_point == U'\'' || code_point == U'\u2019'; }

std::u32string_view without_punctuation_around(std::u32string_view word) {
  while (!word.empty() && !is_of_word(word.front())) word.remove_prefix(1);
  while (!word.empty() && !is_of_word(word.back())) word.remove_suffix(1);
  return word;
}

std::u32string_view without_possessive(std::u32string_view word) {
  const std::size_t size = word.size();
  const bool has_it = size > 2 && word[size - 1] == U's' && is_apostrophe(word[size - 2]);
  return has_it ? word.substr(0, size - 2) : word;
}

/// The text cut where `is_inside` does not hold; no part is empty.
template <typename IsInside>
std::vector<std::u32string_view> parts_of(std::u32string_view text, IsInside is_inside) {
  std::vector<std::u32string_view> parts;
  while (!text.empty()) {
    const auto end = std::find_if_not(text.begin(), text.end(), is_inside);
    const auto length = static_cast<std::size_t>(end - text.begin());
    if (length > 0) parts.push_back(text.substr(0, length));
    text.remove_prefix(std::min(length + 1, text.size()));
  }
  return parts;
}

using Words = std::set<std::u32string, std::less<>>;

bool is_known(const Words& known, std::u32string_view word) {
  return known.count(word) > 0 || known.count(without_possessive(word)) > 0;
}

}  // namespace

std::vector<std::string> unknown_words(const std::string& prompt,
                                       const std::vector<std::string>& known_words) {
  if (known_words.empty()) return {};
  Words known;
  for (const std::string& word : known_words) known.insert(normalize_text(decode_utf8(word)));

  std::vector<std::string> unknown;
  const auto report = [&](std::u32string_view word) {
    const std::string text = encode_utf8(without_possessive(word));
    const bool is_new = std::find(unknown.begin(), unknown.end(), text) == unknown.end();
    if (is_new) unknown.push_back(text);
  };
  const std::u32string text = normalize_text(decode_utf8(prompt));
  for (std::u32string_view word : parts_of(text, [](char32_t each) { return each != U' '; })) {
    word = without_punctuation_around(word);
    if (word.empty() || is_known(known, word)) continue;
    const auto is_inside = [](char32_t each) { return is_of_word(each) || is_apostrophe(each); };
    for (std::u32string_view part : parts_of(word, is_inside)) {
      part = without_punctuation_around(part);
      if (!part.empty() && !is_known(known, part)) report(part);
    }
  }
  return unknown;
}

}  // namespace ssd1b
