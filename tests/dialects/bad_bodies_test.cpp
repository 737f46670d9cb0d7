#include <gtest/gtest.h>

#include "dialects/example_model.h"

namespace ssd1b {
namespace {

using Code = ErrorCode;

struct BadBody {
  std::string body;
  ErrorCode code;
  const char* param;
};

/// `{"prompt": "a", NAME: VALUE}`.
std::string with(const std::string& name, const std::string& value) {
  return "{\"prompt\": \"a\", \"" + name + "\": " + value + "}";
}

std::string nested(int depth) {
  return with("seed", std::string(depth, '[') + std::string(depth, ']'));
}

TEST(BadBodies, AreNoJsonForTheReader) {
  const std::string bodies[] = {"",
                                "   ",
                                "{",
                                "}",
                                "{\"prompt\"}",
                                "{\"prompt\": }",
                                "{\"prompt\": \"a\"",
                                "{\"prompt\": \"a\",}",
                                "{\"prompt\": \"a\"} x",
                                "{\"prompt\": \"a\"}{}",
                                "{\"prompt\": \"a\"} // comment",
                                "/* comment */ {\"prompt\": \"a\"}",
                                "{'prompt': 'a'}",
                                "{prompt: 1}",
                                "\xEF\xBB\xBF{\"prompt\": \"a\"}",
                                "{\"prompt\": \"\xFF\"}",
                                "{\"prompt\": \"\xC0\x80\"}",
                                "{\"prompt\": \"\xED\xA0\x80\"}",
                                "{\"prompt\": \"\xF4\x90\x80\x80\"}",
                                "{\"prompt\": \"\xE2\x82\"}",
                                "{\"prompt\": \"\\ud800\"}",
                                "{\"prompt\": \"\\udc00\"}",
                                "{\"prompt\": \"\\ud800\\u0041\"}",
                                "{\"prompt\": \"\\x41\"}",
                                "{\"prompt\": \"\\u12\"}",
                                "{\"prompt\": \"a\nb\"}",
                                std::string("{\"prompt\": \"a\0b\"}", 17),
                                with("seed", "NaN"),
                                with("seed", "Infinity"),
                                with("seed", "-Infinity"),
                                with("guidance_scale", "1e400"),
                                with("guidance_scale", "-1e400"),
                                with("seed", "01"),
                                with("seed", "+1"),
                                with("seed", "1."),
                                with("seed", ".5"),
                                with("seed", "0x10"),
                                with("seed", "1e"),
                                with("seed", "-"),
                                with("seed", "True"),
                                with("seed", "nul"),
                                nested(32),
                                nested(250),
                                "\xFE\xFF{}",
                                std::string("\0", 1),
                                with("seed", "1") + std::string("\0", 1),
                                with("seed", "1") + std::string("\0{}", 3)};

  for (const std::string& body : bodies) {
    const std::optional<Error> fault = fault_of(body);

    ASSERT_TRUE(fault) << body;
    EXPECT_EQ(fault->code(), Code::InvalidJson) << body << ": " << fault->what();
    EXPECT_EQ(fault->param(), "") << body;
    EXPECT_EQ(std::string(fault->what()).find("json.exception"), std::string::npos);
  }
}

TEST(BadBodies, HaveTheirFieldNamed) {
  const BadBody cases[] = {
      {"[]", Code::InvalidValue, ""},
      {"\"a\"", Code::InvalidValue, ""},
      {"true", Code::InvalidValue, ""},
      {"null", Code::InvalidValue, ""},
      {"1", Code::InvalidValue, ""},
      {"{}", Code::MissingField, "prompt"},
      {R"({"seed": 1})", Code::MissingField, "prompt"},
      {R"({"prompt": null})", Code::InvalidValue, "prompt"},
      {R"({"prompt": 1})", Code::InvalidValue, "prompt"},
      {R"({"prompt": ["a"]})", Code::InvalidValue, "prompt"},
      {R"({"prompt": {"a": 1}})", Code::InvalidValue, "prompt"},
      {R"({"prompt": ""})", Code::InvalidValue, "prompt"},
      {R"({"text": ""})", Code::InvalidValue, "text"},
      {R"({"prompt": "a\u0000b"})", Code::InvalidValue, "prompt"},
      {R"({"prompt": "a\rb"})", Code::InvalidValue, "prompt"},
      {R"({"prompt": "a\u001bb"})", Code::InvalidValue, "prompt"},
      {R"({"prompt": "a\u007f"})", Code::InvalidValue, "prompt"},
      {R"({"prompt": "a\u0080"})", Code::InvalidValue, "prompt"},
      {R"({"prompt": "a\u009f"})", Code::InvalidValue, "prompt"},
      {R"({"prompt": "a", "prompt": "a"})", Code::DuplicateField, "prompt"},
      {R"({"prompt": "a", "text": "a"})", Code::DuplicateField, "text"},
      {R"({"prompt": "a", "steps": 1, "num_inference_steps": 1})", Code::DuplicateField, "steps"},
      {R"({"prompt": "a", "promt": "b"})", Code::UnknownField, "promt"},
      {R"({"prompt": "a", "Prompt": "b"})", Code::UnknownField, "Prompt"},
      {R"({"prompt": "a", "": 1})", Code::UnknownField, "\"\""},
      {R"({"prompt": "a", "url": "http://a"})", Code::UnknownField, "url"},
      {R"({"prompt": "a", "image_url": null})", Code::UnknownField, "image_url"},
      {with("image", "\"AAAA\""), Code::NotSupported, "image"},
      {with("mask", "null"), Code::NotSupported, "mask"},
      {with("strength", "0.5"), Code::NotSupported, "strength"},
      {with("loras", "[]"), Code::NotSupported, "loras"},
      {with("prompt_2", "\"a\""), Code::NotSupported, "prompt_2"},
      {with("negative_prompt_2", "\"a\""), Code::NotSupported, "negative_prompt_2"},
      {with("model", "\"a\""), Code::NotSupported, "model"},
      {with("negative_prompt", "1"), Code::InvalidValue, "negative_prompt"},
      {with("negative_prompt", "\"\\u0001\""), Code::InvalidValue, "negative_prompt"},
      {with("width", "\"512\""), Code::InvalidValue, "width"},
      {with("width", "512.5"), Code::InvalidValue, "width"},
      {with("width", "null"), Code::InvalidValue, "width"},
      {with("width", "true"), Code::InvalidValue, "width"},
      {with("width", "-512"), Code::InvalidValue, "width"},
      {with("width", "516"), Code::InvalidValue, "width"},
      {with("width", "1e18"), Code::InvalidValue, "width"},
      {with("width", "4294967808"), Code::InvalidValue, "width"},
      {with("height", "[512]"), Code::InvalidValue, "height"},
      {with("steps", "\"4\""), Code::InvalidValue, "steps"},
      {with("num_inference_steps", "0"), Code::InvalidValue, "num_inference_steps"},
      {with("guidance_scale", "\"7\""), Code::InvalidValue, "guidance_scale"},
      {with("guidance_scale", "null"), Code::InvalidValue, "guidance_scale"},
      {with("cfg_scale", "50.001"), Code::InvalidValue, "cfg_scale"},
      {with("cfg_scale", "-0.001"), Code::InvalidValue, "cfg_scale"},
      {with("seed", "\"1\""), Code::InvalidValue, "seed"},
      {with("seed", "1.5"), Code::InvalidValue, "seed"},
      {with("seed", "-2"), Code::InvalidValue, "seed"},
      {with("seed", "18446744073709551616"), Code::InvalidValue, "seed"},
      {with("seed", "true"), Code::InvalidValue, "seed"},
      {with("scheduler", "\"Euler\""), Code::InvalidValue, "scheduler"},
      {with("scheduler", "null"), Code::InvalidValue, "scheduler"},
      {with("scheduler", "1"), Code::InvalidValue, "scheduler"},
      {with("sampler", "\"none\""), Code::InvalidValue, "sampler"},
      {with("n", "1000000000"), Code::InvalidValue, "n"},
      {with("num_images_per_prompt", "2"), Code::InvalidValue, "num_images_per_prompt"},
      {with("response_format", "\"url\""), Code::InvalidValue, "response_format"},
      {with("output_format", "\"gif\""), Code::InvalidValue, "output_format"},
      {with("output_format", "\"PNG\""), Code::InvalidValue, "output_format"},
      {with("quality", "90"), Code::InvalidValue, "quality"},
      {with("embed_metadata", "1"), Code::InvalidValue, "embed_metadata"},
      {with("embed_metadata", "null"), Code::InvalidValue, "embed_metadata"},
      {with("timeout_ms", "1.5"), Code::InvalidValue, "timeout_ms"},
      {with("clip_skip", "-1"), Code::InvalidValue, "clip_skip"},
      {R"({"prompt": "a", "scheduler": "lcm", "steps": 51})", Code::InvalidValue, "steps"},
      {R"({"prompt": "a", "width": 2048, "height": 2048})", Code::InvalidValue, "width"},
      {R"({"prompt": "a", "width": 1536, "height": 1544})", Code::InvalidValue, "width"},
  };

  for (const BadBody& each : cases) {
    const std::optional<Error> fault = fault_of(each.body);

    ASSERT_TRUE(fault) << each.body;
    EXPECT_EQ(fault->code(), each.code) << each.body << ": " << fault->what();
    EXPECT_EQ(fault->param(), each.param) << each.body << ": " << fault->what();
  }
}

TEST(BadBodies, UnknownFieldsAreInTheMessage) {
  const std::optional<Error> fault = fault_of(R"({"prompt": "a", "foo": 1, "bar": 2})");

  ASSERT_TRUE(fault);
  EXPECT_NE(std::string(fault->what()).find("bar, foo"), std::string::npos) << fault->what();
}

TEST(BadBodies, ThousandsOfUnknownFieldsDoNotMakeALongMessage) {
  std::string body = R"({"prompt": "a")";
  for (int i = 0; i < 8000; ++i) body += ", \"x" + std::to_string(i) + "\": 1";

  const std::optional<Error> fault = fault_of(body + "}");

  ASSERT_TRUE(fault);
  EXPECT_NE(std::string(fault->what()).find("and 7992 more are no fields"), std::string::npos);
  EXPECT_LT(std::string(fault->what()).size(), 2000u);
}

TEST(BadBodies, MessagesNeverHoldThePrompt) {
  for (const char* body : {R"({"prompt": "a secret\u0001"})", R"({"text": "a secret", "width": 1})",
                           R"({"prompt": "a secret", "negative_prompt": "a secret\u0001"})"}) {
    const std::optional<Error> fault = fault_of(body);

    ASSERT_TRUE(fault) << body;
    EXPECT_EQ(std::string(fault->what()).find("secret"), std::string::npos) << fault->what();
  }
}

}  // namespace
}  // namespace ssd1b
