#include "utf8/utf8.h"

#include <gtest/gtest.h>

#include <string>

namespace ssd1b {
namespace {

struct Case {
  std::string text;
  std::size_t length;
};

TEST(Utf8Length, KnowsBothEndsOfEveryLength) {
  for (const Case& each :
       {Case{"a", 1}, Case{std::string(1, '\0'), 1}, Case{"\x7F", 1}, Case{"\xC2\x80", 2},
        Case{"\xDF\xBF", 2}, Case{"\xE0\xA0\x80", 3}, Case{"\xED\x9F\xBF", 3},
        Case{"\xEE\x80\x80", 3}, Case{"\xEF\xBF\xBF", 3}, Case{"\xF0\x90\x80\x80", 4},
        Case{"\xF4\x8F\xBF\xBF", 4}}) {
    EXPECT_EQ(utf8_length(each.text + "b"), each.length) << each.text;
  }
}

TEST(Utf8Length, IsZeroForWhatIsNoCharacter) {
  for (const char* text :
       {"\x80", "\xBF", "\xC0\x80", "\xC1\xBF", "\xE0\x9F\xBF", "\xED\xA0\x80", "\xED\xBF\xBF",
        "\xF0\x8F\xBF\xBF", "\xF4\x90\x80\x80", "\xF5\x80\x80\x80", "\xFF", "\xC2", "\xC2z",
        "\xE2\x82", "\xE2\x82z", "\xF0\x9F\x98"}) {
    EXPECT_EQ(utf8_length(text), 0u) << text;
  }
}

TEST(FindControlCharacter, FindsAllButTabAndNewline) {
  EXPECT_EQ(find_control_character("a\tb\nc\u00A0"), std::string_view::npos);
  EXPECT_EQ(find_control_character("a\rb"), 1u);
  EXPECT_EQ(find_control_character(std::string_view("\0", 1)), 0u);
  EXPECT_EQ(find_control_character("ab\x7F"), 2u);
  EXPECT_EQ(find_control_character("a\u0080"), 1u);
  EXPECT_EQ(find_control_character("a\u009F"), 1u);
}

}  // namespace
}  // namespace ssd1b
