#include "inference/tokenizer/word_splitter.h"

#include <cstddef>

#include "inference/tokenizer/unicode_tables.h"

namespace ssd1b {
namespace {

// The reference splits by
//   <\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+
// and each match once more by GPT-2's pattern, which only parts the first two (below).
constexpr std::u32string_view kSpecials[] = {U"<|startoftext|>", U"<|endoftext|>"};
constexpr std::u32string_view kContractions[] = {U"'s", U"'t",  U"'re", U"'ve",
                                                 U"'m", U"'ll", U"'d"};
constexpr std::size_t kBracket = 2;  // "<|" and "|>"

bool starts_with(std::u32string_view text, std::u32string_view start) {
  return text.substr(0, start.size()) == start;
}

std::size_t run_length(std::u32string_view text, CharacterClass what) {
  std::size_t length = 0;
  while (length < text.size() && class_of(text[length]) == what) ++length;
  return length;
}

/// The length of the word at the start of `text`; a space is a "word" that falls away.
std::size_t word_length(std::u32string_view text) {
  for (const auto& contraction : kContractions) {
    if (starts_with(text, contraction)) return contraction.size();
  }
  const CharacterClass what = class_of(text.front());
  return what == CharacterClass::Number ? 1 : run_length(text, what);
}

}  // namespace

std::vector<std::u32string_view> split_words(std::u32string_view text) {
  std::vector<std::u32string_view> words;
  while (!text.empty()) {
    std::size_t length = 0;
    for (const auto& special : kSpecials) {
      if (!starts_with(text, special)) continue;
      length = special.size();
      words.push_back(text.substr(0, kBracket));
      words.push_back(text.substr(kBracket, length - 2 * kBracket));
      words.push_back(text.substr(length - kBracket, kBracket));
    }
    if (length == 0) {
      length = word_length(text);
      if (class_of(text.front()) != CharacterClass::Space) words.push_back(text.substr(0, length));
    }
    text.remove_prefix(length);
  }
  return words;
}

}  // namespace ssd1b
