#include "inference/tokenizer/text_normalizer.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "inference/tokenizer/unicode_tables.h"
#include "inference/tokenizer/word_splitter.h"

namespace ssd1b {
namespace {

TEST(TextNormalizer, ComposesLowersAndJoinsSpaces) {
  struct Case {
    std::u32string text;
    std::u32string normal;
  };
  const std::vector<Case> cases = {
      {U"", U""},
      {U"A \t\n B", U"a b"},
      {U"\u00A0\u3000x\u0085", U" x "},
      {U"e\u0301", U"\u00E9"},
      {U"q\u0301\u0327", U"q\u0327\u0301"},              // the marks change places
      {U"q\u0301\u1AC1\u0327", U"q\u0301\u1AC1\u0327"},  // a mark younger than Unicode 9 parts them
      {U"\u1100\u1161\u11A8", U"\uAC01"},
      {U"\uAC00\u11A7", U"\uAC00\u11A7"},  // the empty final consonant stays
      {U"\u0130\u03A3\u1E9E", U"i\u0307\u03C3\u00DF"},
      {U"\U00010D50\uA7CB\u1C89", U"\U00010D70\u0264\u1C8A"},  // Unicode 16
      {U"\u212B\u2126", U"\u00E5\u03C9"},
      {U"\uFB01\u00BD\uFF21", U"\uFB01\u00BD\uFF41"},  // no compatibility forms
  };
  for (const Case& each : cases) {
    EXPECT_EQ(encode_utf8(normalize_text(each.text)), encode_utf8(each.normal))
        << encode_utf8(each.text);
  }
}

TEST(TextNormalizer, DecodesWhatItEncodes) {
  std::u32string all;
  for (char32_t c = 0; c < 0x110000; c += c < 0x3000 ? 1 : 17) {
    if (c < 0xD800 || c > 0xDFFF) all += c;
  }
  EXPECT_EQ(decode_utf8(encode_utf8(all)), all);
}

TEST(UnicodeTables, TellWhatACodePointIs) {
  EXPECT_EQ(class_of(U'a'), CharacterClass::Letter);
  EXPECT_EQ(class_of(0x2B820), CharacterClass::Letter);  // inside a range of ideographs
  EXPECT_EQ(class_of(0x143FA), CharacterClass::Letter);  // Unicode 16
  EXPECT_EQ(class_of(0x143FB), CharacterClass::Other);
  EXPECT_EQ(class_of(0x323B0), CharacterClass::Other);  // Unicode 17
  EXPECT_EQ(class_of(0xBD), CharacterClass::Number);
  EXPECT_EQ(class_of(0x1CCF9), CharacterClass::Number);  // Unicode 16
  EXPECT_EQ(class_of(0x85), CharacterClass::Space);
  EXPECT_EQ(class_of(0x200B), CharacterClass::Other);
  EXPECT_EQ(class_of(0x1C), CharacterClass::Other);
  EXPECT_EQ(class_of(0x301), CharacterClass::Other);
  EXPECT_EQ(class_of(0x10FFFF), CharacterClass::Other);
}

TEST(WordSplitter, SplitsAsClipDoes) {
  struct Case {
    std::u32string text;
    std::vector<std::u32string_view> words;
  };
  const std::vector<Case> cases = {
      {U"", {}},
      {U" ", {}},
      {U"a red apple", {U"a", U"red", U"apple"}},
      {U"it's we'll 'tis", {U"it", U"'s", U"we", U"'ll", U"'t", U"is"}},
      {U"12ab3", {U"1", U"2", U"ab", U"3"}},
      {U"a,b...!? c", {U"a", U",", U"b", U"...!?", U"c"}},
      {U"!'s", {U"!'", U"s"}},
      {U"<|endoftext|>!", {U"<|", U"endoftext", U"|>", U"!"}},
      {U"!<|endoftext|>", {U"!<|", U"endoftext", U"|>"}},
      {U"<|endoftext|", {U"<|", U"endoftext", U"|"}},
  };
  for (const Case& each : cases) {
    EXPECT_EQ(split_words(each.text), each.words) << encode_utf8(each.text);
  }
}

}  // namespace
}  // namespace ssd1b
