#include "service/dialects/json_text.h"

#include <gtest/gtest.h>

#include <ctime>
#include <string>

#include "service/dialects/write_json.h"
#include "ssd1b/error.h"

namespace ssd1b {
namespace {

TEST(JsonText, NumbersWithoutFractionAreExactIntegersHoweverWritten) {
  const struct {
    const char* text;
    std::uint64_t value;
  } cases[] = {{"2", 2},
               {"2.0", 2},
               {"2e0", 2},
               {"20E-1", 2},
               {"0.2e+1", 2},
               {"0.0", 0},
               {"-0", 0},
               {"-0.0", 0},
               {"0e999999999999999999999", 0},
               {"9007199254740993.0", 9007199254740993u},
               {"18446744073709551615", 18446744073709551615u},
               {"1844674407370955161.5e1", 18446744073709551615u}};

  for (const auto& each : cases) {
    const Json value = parse_json(each.text);

    EXPECT_TRUE(value.is_number_integer()) << each.text;
    EXPECT_EQ(value.get<std::uint64_t>(), each.value) << each.text;
  }
  EXPECT_EQ(parse_json("-3.0").get<std::int64_t>(), -3);
  EXPECT_EQ(parse_json("-9223372036854775808.0").get<std::int64_t>(), INT64_MIN);
}

TEST(JsonText, OtherNumbersStayFractions) {
  for (const char* text : {"2.5", "1e-5", "1e300", "18446744073709551616", "-9223372036854775809.0",
                           "123456789012345678901234567890"}) {
    EXPECT_TRUE(parse_json(text).is_number_float()) << text;
  }
}

TEST(JsonText, DuplicateFieldNamesThePath) {
  try {
    parse_json(R"({"a": [{"b": 1, "c": {"d": 1, "d": 2}}]})");
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::DuplicateField);
    EXPECT_EQ(error.param(), "a.c.d");
  }
}

TEST(JsonText, ADuplicateFieldIsShownShortAndWithoutControlCharacters) {
  const auto message = [](const std::string& text) {
    try {
      parse_json(text);
    } catch (const Error& error) {
      return std::string(error.what());
    }
    return std::string();
  };
  const std::string large(100000, 'k');

  EXPECT_EQ(message("{\"a\\u0000b\": 1, \"a\\u0000b\": 2}"), "a?b is given twice");
  EXPECT_LT(message("{\"" + large + "\": 1, \"" + large + "\": 2}").size(), 100u);
}

TEST(JsonText, FindsANumberAsItIsWritten) {
  EXPECT_EQ(written_number(R"({"a": 1.50})", "a"), "1.50");
  EXPECT_EQ(written_number(R"({"a": {"b": 2e1}, "b": 3.5})", "a.b"), "2e1");
  EXPECT_EQ(written_number(R"({"ab": 1.5, "a": {"c": 2.5}, "": {"a": 3.5}})", "a"), "");
}

TEST(JsonText, FindsANumberBesideALargeKeyWithManyNumbers) {
  std::string text = "{\"width\": 1.5, \"" + std::string(1000000, 'k') + "\": [1.5";
  for (int i = 0; i < 200000; ++i) text += ",1.5";
  text += "]}";
  const std::clock_t began = std::clock();

  EXPECT_EQ(written_number(text, "width"), "1.5");

  EXPECT_LT(std::clock() - began, CLOCKS_PER_SEC);
}

TEST(JsonText, NamesEqualAfterUnescapingAreDuplicates) {
  EXPECT_THROW(parse_json("{\"a\": 1, \"\\u0061\": 2}"), Error);
}

TEST(JsonText, NestsAtMost32Deep) {
  const auto nested = [](std::size_t depth) {
    return std::string(depth, '[') + std::string(depth, ']');
  };

  EXPECT_NO_THROW(parse_json(nested(32)));
  EXPECT_THROW(parse_json(nested(33)), Error);
  EXPECT_THROW(parse_json(nested(250000)), Error);
}

TEST(JsonText, PositionIsTheBytes) {
  try {
    parse_json("{\"a\": 1,}");
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("byte 9"), std::string::npos) << error.what();
  }
}

TEST(JsonText, IsWhatTheLibraryWrites) {
  const Json values[] = {
      Json::object(),
      Json::array(),
      nullptr,
      "",
      "all of it plain: AZaz09+/=~ ",
      "quote \" and \\ back",
      "tab\t, newline\n, delete\x7F, nothing\x01",
      "\xC3\xA9 and \xF0\x9F\x8D\x8E",
      {{"b", 1}, {"a", {1.5, -2, true, false, nullptr, "x"}}, {"\"", {{"c", Json::array()}}}},
      {Json::object(), {{"n", 18446744073709551615u}}, {}, ""}};
  for (const Json& value : values) EXPECT_EQ(json_text(value), value.dump());
}

TEST(JsonText, WritingNeverThrows) {
  EXPECT_EQ(json_text(Json{{"a", "\xFF"}}), "{\"a\":\"\xEF\xBF\xBD\"}");
}

}  // namespace
}  // namespace ssd1b
