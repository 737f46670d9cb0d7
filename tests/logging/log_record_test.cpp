#include "logging/log_record.h"

#include <gtest/gtest.h>

#include <limits>
#include <nlohmann/json.hpp>

namespace ssd1b {
namespace {

const std::chrono::system_clock::time_point kTime{std::chrono::milliseconds(1764000333123)};

std::string text_of_value(const std::string& value) {
  const std::string line = log_line(LogFormat::Text, {kTime, "info", "request", {{"path", value}}});
  return line.substr(line.find("path=") + 5);
}

TEST(LogRecord, WritesTextWithKeysAndValues) {
  const std::string line =
      log_line(LogFormat::Text, {kTime,
                                 "info",
                                 "request done",
                                 {{"status", 200},
                                  {"seed", std::uint64_t{18446744073709551615U}},
                                  {"ms", 12.5},
                                  {"cached", false},
                                  {"route", "/generate-image"}}});

  EXPECT_EQ(line,
            "2025-11-24T16:05:33.123Z info request done status=200 seed=18446744073709551615 "
            "ms=12.5 cached=false route=/generate-image");
}

TEST(LogRecord, QuotesAndEscapesTexts) {
  const std::pair<const char*, const char*> cases[] = {
      {"plain", "plain"},
      {"", "\"\""},
      {"two words", "\"two words\""},
      {"a=b", "\"a=b\""},
      {"say \"hi\"", "\"say \\\"hi\\\"\""},
      {"back\\slash", "\"back\\\\slash\""},
      {"line\nbreak", "\"line\\nbreak\""},
      {"cr\rlf", "\"cr\\x0dlf\""},
      {"\x1b[2J", "\"\\x1b[2J\""},
      {"\x7f", "\"\\x7f\""},
      {"\u0085", "\"\\xc2\\x85\""},
      {"\u2028", "\"\\xe2\\x80\\xa8\""},
      {"\u202e", "\"\\xe2\\x80\\xae\""},
      {"\u2066", "\"\\xe2\\x81\\xa6\""},
      {"\ufeff", "\"\\xef\\xbb\\xbf\""},
      {"\u2018quoted\u2019", "\u2018quoted\u2019"},
      {"\xff\xfe", "\"\\xff\\xfe\""},
      {"\xc0\xaf", "\"\\xc0\\xaf\""},
      {"\xed\xa0\x80", "\"\\xed\\xa0\\x80\""},
      {"\xe2\x82", "\"\\xe2\\x82\""},
      {"Äpfel", "Äpfel"},
  };
  for (const auto& [value, want] : cases) EXPECT_EQ(text_of_value(value), want) << want;
}

TEST(LogRecord, KeepsEveryRecordOnOneLineWhateverItHolds) {
  std::string all;
  for (int byte = 0; byte < 256; ++byte) all += static_cast<char>(byte);
  for (const LogFormat format : {LogFormat::Text, LogFormat::Json}) {
    const std::string line = log_line(format, {kTime, "warn", all, {{"value", all}}});

    for (const char byte : line) EXPECT_GE(static_cast<unsigned char>(byte), 0x20);
    EXPECT_NO_THROW(nlohmann::json(line).dump()) << "not UTF-8";
  }
}

TEST(LogRecord, WritesOneJsonObject) {
  const std::string line =
      log_line(LogFormat::Json, {kTime,
                                 "error",
                                 "it broke",
                                 {{"why", "a \"b\"\n\xff"},
                                  {"count", -3},
                                  {"ms", 0.25},
                                  {"ratio", std::numeric_limits<double>::infinity()},
                                  {"yes", true}}});

  const auto object = nlohmann::json::parse(line);
  EXPECT_EQ(object["time"], "2025-11-24T16:05:33.123Z");
  EXPECT_EQ(object["level"], "error");
  EXPECT_EQ(object["message"], "it broke");
  EXPECT_EQ(object["why"], "a \"b\"\n\uFFFD");
  EXPECT_EQ(object["count"], -3);
  EXPECT_EQ(object["ms"], 0.25);
  EXPECT_EQ(object["ratio"], "inf");
  EXPECT_EQ(object["yes"], true);
}

TEST(LogRecord, CutsLongTextsAtACharacter) {
  std::string text = "x";
  while (text.size() < 5000) text += "ä";

  const std::string value = text_of_value(text);

  EXPECT_LE(value.size(), 4096u + 3u);
  EXPECT_EQ(value.substr(value.size() - 5), "ä...");
}

}  // namespace
}  // namespace ssd1b
