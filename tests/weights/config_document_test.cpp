#include "inference/weights/config_document.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "inference/weights/generation_config.h"
#include "inference/weights/python_json.h"
#include "weights/probe_files.h"

namespace ssd1b {
namespace {

using ::testing::HasSubstr;

ConfigDocument document(const std::string& text) {
  return ConfigDocument::parse(text, "unet/config.json");
}

TEST(ConfigDocument, ReadsEveryType) {
  const ConfigDocument config = document(
      R"({"i": 32, "n": 1e-5, "t": "silu", "b": true, "l": [1, 2], "s": ["a"], "d": [0.5, 1]})");

  EXPECT_EQ(config.integer("i"), 32);
  EXPECT_EQ(config.number("i"), 32.0);
  EXPECT_EQ(config.number("n"), 1e-5);
  EXPECT_EQ(config.text("t"), "silu");
  EXPECT_TRUE(config.boolean("b"));
  EXPECT_EQ(config.integers("l"), (std::vector<std::int64_t>{1, 2}));
  EXPECT_EQ(config.texts("s"), std::vector<std::string>{"a"});
  EXPECT_EQ(config.numbers("d"), (std::vector<double>{0.5, 1.0}));
  EXPECT_EQ(config.integers_or_one("i", 3), (std::vector<std::int64_t>{32, 32, 32}));
  EXPECT_EQ(config.integers_or_one("l", 2), (std::vector<std::int64_t>{1, 2}));
}

TEST(ConfigDocument, IsCopiedWithoutSomeKeys) {
  const ConfigDocument config = document(R"({"a": 1, "b": 2})").without({"a", "c"});

  EXPECT_EQ(config.keys(), std::vector<std::string>{"b"});
}

TEST(KeysInOrder, AreThoseOfOneObjectAsTheTextHasThem) {
  const std::string text =
      R"({"x": {"c": 0}, "y": {"b": Infinity, "a": {"d": 1}}, "z": [{"e": 2}]})";

  EXPECT_EQ(keys_in_order(text, "y"), (std::vector<std::string>{"b", "a"}));
  EXPECT_TRUE(keys_in_order(text, "z").empty());
}

TEST(ConfigDocument, ReadsNestedIntegers) {
  const NestedIntegers depths =
      document(R"({"d": [[4, 4, 10], [2, 1, 1], 1]})").integers_or_nested("d");

  ASSERT_EQ(depths.items.size(), 3u);
  EXPECT_EQ(depths.items[0].items.at(2).value, 10);
  EXPECT_FALSE(depths.items[2].is_list());
  EXPECT_EQ(depths.items[2].value, 1);
}

TEST(ConfigDocument, TakesTheNumbersThatPythonWrites) {
  const double infinity = std::numeric_limits<double>::infinity();
  const ConfigDocument config = document(
      R"({"low": -Infinity, "high":Infinity, "none": NaN, "t": "a \"NaN, -Infinity", "l": [1, NaN]})");

  EXPECT_EQ(config.optional_number_or_infinity("low"), -infinity);
  EXPECT_EQ(config.optional_number_or_infinity("high"), infinity);
  EXPECT_EQ(config.text("t"), "a \"NaN, -Infinity");
  EXPECT_THAT(refusal_of([&] { config.number("low"); }),
              HasSubstr("low must be a number, got -Infinity"));
  EXPECT_THAT(refusal_of([&] { config.optional_number_or_infinity("none"); }),
              HasSubstr("none must be a number, Infinity or -Infinity, got NaN"));
  EXPECT_THAT(refusal_of([&] { config.numbers("l"); }), HasSubstr("l must be a list of numbers"));
  EXPECT_THAT(refusal_of([] { document(R"({"a": -Infinity, "b": Infinit})"); }),
              HasSubstr("byte 23"));
  EXPECT_THAT(refusal_of([] { document(R"({"a": -NaN})"); }), HasSubstr("valid JSON"));
}

TEST(ConfigDocument, TakesNullForAbsent) {
  const ConfigDocument config = document(R"({"a": null})");

  EXPECT_FALSE(config.has("a"));
  EXPECT_EQ(config.optional_integer("a"), std::nullopt);
  EXPECT_EQ(config.optional_text("b"), std::nullopt);
  EXPECT_THAT(refusal_of([&] { config.integer("a"); }),
              HasSubstr("a must be an integer, got null"));
  EXPECT_THAT(refusal_of([&] { config.text("b"); }), HasSubstr("b must be a string, got nothing"));
}

TEST(ConfigDocument, TakesBooleansAsPythonDoes) {
  const ConfigDocument config =
      document(R"({"null": null, "no": [false, false], "some": [false, true], "text": "false"})");

  EXPECT_EQ(config.optional_boolean("null"), false);
  EXPECT_EQ(config.optional_boolean("absent"), std::nullopt);
  EXPECT_TRUE(config.is_all_false("null"));
  EXPECT_TRUE(config.is_all_false("absent"));
  EXPECT_TRUE(config.is_all_false("no"));
  EXPECT_FALSE(config.is_all_false("some"));
  EXPECT_THAT(refusal_of([&] { config.is_all_false("text"); }), HasSubstr("text must be"));
}

TEST(ConfigDocument, NamesFileKeyAndValueOfAWrongType) {
  const ConfigDocument config = document(
      R"({"f": 2.0, "big": 9223372036854775808, "s": "32", "l": [1, "x"], "n": [[1, [2.5]]], "o": {"k": 1.5}})");

  EXPECT_EQ(refusal_of([&] { config.integer("s"); }),
            "unet/config.json: s must be an integer, got \"32\"");
  EXPECT_THAT(refusal_of([&] { config.integer("f"); }), HasSubstr("got 2.0"));
  EXPECT_THAT(refusal_of([&] { config.integer("big"); }), HasSubstr("an integer"));
  EXPECT_THAT(refusal_of([&] { config.boolean("s"); }), HasSubstr("true or false"));
  EXPECT_THAT(refusal_of([&] { config.optional_integers("l"); }), HasSubstr("a list of integers"));
  EXPECT_THAT(refusal_of([&] { config.integers_or_nested("n"); }), HasSubstr("[[1,[2.5]]]"));
  EXPECT_THAT(refusal_of([&] { config.integers_or_one("l", 2); }), HasSubstr("a list of 2"));
  EXPECT_THAT(refusal_of([&] { config.object("o").integer("k"); }), HasSubstr("o.k must be"));
}

TEST(ConfigDocument, KeepsIntegersInTheirRange) {
  const ConfigDocument config = document(R"({"low": 0, "least": 1, "most": 8, "high": 9})");

  EXPECT_EQ(config.integer("least", {1, 8}), 1);
  EXPECT_EQ(config.integer("most", {1, 8}), 8);
  EXPECT_EQ(config.integer_or("most", 2, {1, 8}), 8);
  EXPECT_EQ(config.integer_or("absent", 2, {1, 8}), 2);
  EXPECT_EQ(refusal_of([&] {
              config.integer("low", {1, 8});
            }),
            "unet/config.json: low must be an integer from 1 to 8, got 0");
  EXPECT_EQ(refusal_of([&] {
              config.integer_or("high", 2, {1, 8});
            }),
            "unet/config.json: high must be an integer from 1 to 8, got 9");
  EXPECT_EQ(refusal_of([&] {
              config.integer_or("absent", 9, {1, 8});
            }),
            "unet/config.json: absent must be an integer from 1 to 8, got nothing");
}

TEST(ConfigDocument, RefusesWhatIsNoSoundJson) {
  const std::vector<std::string> texts = {
      "",
      "[]",
      "1",
      "{",
      "{\"a\":1,}",
      "{\"a\":Nan}",
      "{}x",
      "// a\n{}",
      "{\"a\":\"\xff\"}",
      R"({"a":1,"a":2})",
      R"({"o":{"k":1,"k":1}})",
      R"({"a":1e999})",
      "{\"a\":" + std::string(100, '[') + std::string(100, ']') + "}",
      std::string("{}\0x", 4)};
  for (const std::string& text : texts) {
    EXPECT_THAT(refusal_of([&] { document(text); }), HasSubstr("unet/config.json: ")) << text;
  }
}

TEST(ConfigDocument, RefusesAFileThatIsTooLong) {
  TemporaryFolder folder;
  write_text(folder / "a.json", "{}" + std::string(100, ' '));

  EXPECT_THAT(refusal_of([&] { ConfigDocument::read(folder / "a.json", 50); }),
              HasSubstr("at most 50 bytes, got 102"));
}

TEST(GenerationConfig, ReadsItsKeysAndIsEmptyWithoutAFile) {
  TemporaryFolder folder;
  write_text(folder / "g.json",
             R"({"steps": 16, "guidance_scale": 4, "width": 128, "height": 64, "scheduler": "euler",
                 "negative_prompt": "", "known_words": ["a", "cat"]})");

  const GenerationConfig config = read_generation_config(folder / "g.json");
  const GenerationConfig none = read_generation_config(folder / "absent.json");

  EXPECT_EQ(config.steps, 16);
  EXPECT_EQ(config.guidance_scale, 4.0);
  EXPECT_EQ(config.width_px, 128);
  EXPECT_EQ(config.height_px, 64);
  EXPECT_EQ(config.scheduler, "euler");
  EXPECT_EQ(config.negative_prompt, "");
  EXPECT_EQ(config.known_words->size(), 2u);
  EXPECT_EQ(none.steps, std::nullopt);
}

TEST(GenerationConfig, NamesTheKeyAtFault) {
  TemporaryFolder folder;
  const std::vector<std::pair<std::string, std::string>> cases = {
      {R"({"temperature": 1})", "temperature"},
      {R"({"temperature": null})", "temperature"},
      {R"({"steps": "16"})", "steps"},
      {R"({"steps": 0})", "steps"},
      {R"({"steps": 151})", "steps"},
      {R"({"guidance_scale": -1})", "guidance_scale"},
      {R"({"guidance_scale": 51})", "guidance_scale"},
      {R"({"width": 2056})", "width"},
      {R"({"height": 8})", "height"},
      {R"({"scheduler": 3})", "scheduler"},
      {R"({"steps": null})", "steps must be a value or left out, got null"},
      {R"({"negative_prompt": "a\u0001"})", "negative_prompt must be at most 4096 bytes"},
      {R"({"negative_prompt": ")" + std::string(4097, 'x') + "\"}", "negative_prompt"},
      {R"({"known_words": "a"})", "known_words"},
      {R"([])", "JSON object"},
  };
  for (const auto& [text, says] : cases) {
    write_text(folder / "g.json", text);
    EXPECT_THAT(refusal_of([&] { read_generation_config(folder / "g.json"); }), HasSubstr(says))
        << text;
  }
}

TEST(GenerationConfig, RefusesALinkThatLeadsNowhere) {
  TemporaryFolder folder;
  std::filesystem::create_symlink(folder / "nowhere", folder / "g.json");

  EXPECT_THAT(refusal_of([&] { read_generation_config(folder / "g.json"); }),
              HasSubstr("leads nowhere"));
}

}  // namespace
}  // namespace ssd1b
