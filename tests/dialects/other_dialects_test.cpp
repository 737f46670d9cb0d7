#include <gtest/gtest.h>

#include "dialects/example_model.h"
#include "service/dialects/dialect.h"

namespace ssd1b {
namespace {

ImageRequest parse_as(const Dialect& dialect, const std::string& body,
                      const std::string& accept = "", const std::string& path_model = "") {
  RequestRules rules = example_rules();
  rules.takes_openai_names = true;
  return dialect.parse(parse_json(body), {accept, path_model}, example_model(), rules);
}

struct BadBody {
  const char* body;
  ErrorCode code;
  const char* param;
};

void expect_refused(const Dialect& dialect, const BadBody& each) {
  try {
    parse_as(dialect, each.body);
    ADD_FAILURE() << each.body << " was not refused";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), each.code) << each.body << ": " << error.what();
    EXPECT_EQ(error.param(), each.param) << each.body << ": " << error.what();
  }
}

PictureReply example_reply() {
  PictureReply reply;
  reply.created_at_s = 1000;
  reply.model = "icons";
  reply.files = {{"abc", 18446744073709551615u, "http://h/v1/images/1/content"}};
  reply.prompt_tokens = 93;
  reply.prompt_token_limit = 77;
  reply.warnings = {{"prompt_truncated", "it was cut"}};
  reply.timings.denoise_ms = 12.5;
  return reply;
}

TEST(OpenAi, ReadsItsFields) {
  const ImageRequest request = parse_as(openai_dialect(), R"({
      "prompt": "p", "model": "dall-e-3", "n": 2, "size": "512x640", "quality": "high",
      "response_format": "url", "output_format": "webp", "output_compression": 40, "seed": 5,
      "background": "opaque", "moderation": "low", "style": "natural", "user": "u", "stream": false,
      "partial_images": 0, "negative_prompt": "b", "guidance_scale": 3, "scheduler": "lcm"})");

  ASSERT_EQ(request.pictures.size(), 2u);
  EXPECT_EQ(request.pictures[1].seed, 6u);
  EXPECT_EQ(request.pictures[0].width_px, 512);
  EXPECT_EQ(request.pictures[0].height_px, 640);
  EXPECT_EQ(request.pictures[0].original_width_px, 512);
  EXPECT_EQ(request.pictures[0].steps, 40);  // 1.6 times 25
  EXPECT_EQ(request.pictures[0].negative_prompt, "b");
  EXPECT_EQ(request.reply, ReplyKind::JsonLinks);
  EXPECT_EQ(request.format, ImageFormat::Webp);
  EXPECT_EQ(request.quality, 40);
}

TEST(OpenAi, ItsOwnFieldsMayBeNull) {
  const ImageRequest request = parse_as(openai_dialect(), R"({
      "prompt": "p", "model": null, "n": null, "size": null, "quality": null, "stream": null,
      "response_format": null, "output_format": null, "output_compression": null, "user": null})");

  EXPECT_EQ(request.pictures.size(), 1u);
  EXPECT_EQ(request.pictures[0].steps, 25);
  EXPECT_EQ(request.reply, ReplyKind::JsonText);
  EXPECT_EQ(request.format, ImageFormat::Png);
}

TEST(OpenAi, QualityIsAFactorOfTheSteps) {
  const struct {
    const char* quality;
    int steps;
  } cases[] = {{"low", 15},      {"medium", 25}, {"auto", 25},
               {"standard", 25}, {"high", 40},   {"hd", 40}};

  for (const auto& each : cases) {
    const std::string body = std::string(R"({"prompt": "p", "quality": ")") + each.quality + "\"}";
    EXPECT_EQ(parse_as(openai_dialect(), body).pictures[0].steps, each.steps) << each.quality;
  }
}

TEST(OpenAi, StreamsOnePictureWithPreviews) {
  const ImageRequest request =
      parse_as(openai_dialect(), R"({"prompt": "p", "stream": true, "partial_images": 2})");

  EXPECT_TRUE(request.is_streamed);
  EXPECT_EQ(request.pictures[0].previews, 2);
  EXPECT_FALSE(parse_as(openai_dialect(), R"({"prompt": "p"})").is_streamed);
  const char* body = R"({"prompt": "p", "stream": true})";
  EXPECT_TRUE(parse_as(openai_dialect(), body, "text/event-stream").is_streamed);
  EXPECT_TRUE(parse_as(openai_dialect(), body, "application/json").is_streamed);
  EXPECT_THROW(parse_as(openai_dialect(), body, "text/html"), Error);
}

TEST(OpenAi, EventsAreItsOwn) {
  const ImageRequest request =
      parse_as(openai_dialect(), R"({"prompt": "p", "stream": true, "quality": "hd"})");

  const Json preview = openai_dialect().event(request, example_reply(), 1);
  const Json last = openai_dialect().event(request, example_reply(), std::nullopt);

  EXPECT_EQ(preview["type"], "image_generation.partial_image");
  EXPECT_EQ(preview["partial_image_index"], 1);
  EXPECT_EQ(last["type"], "image_generation.completed");
  EXPECT_FALSE(last.contains("partial_image_index"));
  EXPECT_EQ(last["quality"], "high");
  for (const Json& each : {preview, last}) {
    for (const char* field :
         {"b64_json", "created_at", "size", "quality", "background", "output_format"}) {
      EXPECT_TRUE(each.contains(field)) << field;
    }
  }
}

TEST(OpenAi, RefusesWithTheFieldsName) {
  const BadBody cases[] = {
      {R"({})", ErrorCode::MissingField, "prompt"},
      {R"({"prompt": null})", ErrorCode::InvalidValue, "prompt"},
      {R"({"prompt": "p", "model": "none"})", ErrorCode::ModelNotFound, "model"},
      {R"({"prompt": "p", "stream": 1})", ErrorCode::InvalidValue, "stream"},
      {R"({"prompt": "p", "stream": true, "n": 2})", ErrorCode::InvalidValue, "n"},
      {R"({"prompt": "p", "stream": true, "response_format": "url"})", ErrorCode::InvalidValue,
       "response_format"},
      {R"({"prompt": "p", "stream": true, "partial_images": 4})", ErrorCode::InvalidValue,
       "partial_images"},
      {R"({"prompt": "p", "stream": false, "partial_images": 1})", ErrorCode::InvalidValue,
       "partial_images"},
      {R"({"prompt": "p", "background": "transparent"})", ErrorCode::InvalidValue, "background"},
      {R"({"prompt": "p", "size": "512"})", ErrorCode::InvalidValue, "size"},
      {R"({"prompt": "p", "size": "512x"})", ErrorCode::InvalidValue, "size"},
      {R"({"prompt": "p", "size": "x512"})", ErrorCode::InvalidValue, "size"},
      {R"({"prompt": "p", "size": "512x512x512"})", ErrorCode::InvalidValue, "size"},
      {R"({"prompt": "p", "size": "-512x512"})", ErrorCode::InvalidValue, "size"},
      {R"({"prompt": "p", "size": "513x512"})", ErrorCode::InvalidValue, "size"},
      {R"({"prompt": "p", "size": "56x512"})", ErrorCode::InvalidValue, "size"},
      {R"({"prompt": "p", "size": "99999999999x512"})", ErrorCode::InvalidValue, "size"},
      {R"({"prompt": "p", "size": "2048x2048"})", ErrorCode::InvalidValue, "size"},
      {R"({"prompt": "p", "width": 512})", ErrorCode::UnknownField, "width"},
      {R"({"prompt": "p", "output_compression": 101, "output_format": "webp"})",
       ErrorCode::InvalidValue, "output_compression"},
      {R"({"prompt": "p", "output_compression": 99})", ErrorCode::InvalidValue,
       "output_compression"},
      {R"({"prompt": "p", "partial_images": 4})", ErrorCode::InvalidValue, "partial_images"}};

  for (const BadBody& each : cases) expect_refused(openai_dialect(), each);
}

TEST(HuggingFace, ReadsInputsAndParameters) {
  const ImageRequest request = parse_as(hugging_face_dialect(), R"({"inputs": "p", "parameters": {
      "negative_prompt": "b", "width": 512, "height": 640, "num_inference_steps": 3,
      "guidance_scale": 2, "scheduler": "EulerDiscreteScheduler", "seed": 5}})",
                                        "image/webp");

  const GenerationRequest& picture = request.pictures.at(0);
  EXPECT_EQ(picture.prompt, "p");
  EXPECT_EQ(picture.negative_prompt, "b");
  EXPECT_EQ(picture.width_px, 512);
  EXPECT_EQ(picture.height_px, 640);
  EXPECT_EQ(picture.steps, 3);
  EXPECT_EQ(picture.scheduler, "euler");
  EXPECT_EQ(picture.seed, 5u);
  EXPECT_EQ(request.format, ImageFormat::Webp);
  EXPECT_EQ(request.reply, ReplyKind::Bytes);
}

TEST(HuggingFace, RefusesWithThePathOfTheField) {
  const BadBody cases[] = {
      {R"({"parameters": {}})", ErrorCode::MissingField, "inputs"},
      {R"({"prompt": "p"})", ErrorCode::UnknownField, "prompt"},
      {R"({"inputs": "p", "parameters": []})", ErrorCode::InvalidValue, "parameters"},
      {R"({"inputs": "p", "parameters": {"width": 1}})", ErrorCode::InvalidValue,
       "parameters.width"},
      {R"({"inputs": "p", "parameters": {"prompt": "q"}})", ErrorCode::UnknownField,
       "parameters.prompt"}};

  for (const BadBody& each : cases) expect_refused(hugging_face_dialect(), each);
}

TEST(HuggingFace, ThePathMayNameOurModelOnly) {
  EXPECT_NO_THROW(parse_as(hugging_face_dialect(), R"({"inputs": "p"})", "", "icons"));
  EXPECT_THROW(parse_as(hugging_face_dialect(), R"({"inputs": "p"})", "", "org/none"), Error);
}

TEST(Segmind, ReadsItsFields) {
  const ImageRequest request = parse_as(segmind_dialect(), R"({
      "prompt": "p", "negative_prompt": "b", "samples": 2, "scheduler": "DPM Multi", "seed": 5,
      "num_inference_steps": 3, "guidance_scale": 2, "img_width": 512, "img_height": 640,
      "base64": true})");

  ASSERT_EQ(request.pictures.size(), 2u);
  EXPECT_EQ(request.pictures[0].scheduler, "dpmpp_2m");
  EXPECT_EQ(request.pictures[0].width_px, 512);
  EXPECT_EQ(request.pictures[0].height_px, 640);
  EXPECT_EQ(request.format, ImageFormat::Jpeg);
  EXPECT_EQ(request.reply, ReplyKind::JsonText);
}

TEST(Segmind, TakesNumbersAsTexts) {
  const ImageRequest request = parse_as(segmind_dialect(), R"({
      "prompt": "7", "samples": "1", "seed": "36446545871", "num_inference_steps": "20",
      "guidance_scale": "9", "img_width": "512", "img_height": "640"})");

  ASSERT_EQ(request.pictures.size(), 1u);
  const GenerationRequest& picture = request.pictures[0];
  EXPECT_EQ(picture.prompt, "7");
  EXPECT_EQ(picture.seed, 36446545871u);
  EXPECT_EQ(picture.steps, 20);
  EXPECT_EQ(picture.guidance_scale, 9);
  EXPECT_EQ(picture.width_px, 512);
  EXPECT_EQ(picture.height_px, 640);
}

TEST(Segmind, RefusesWithTheFieldsName) {
  const BadBody cases[] = {
      {R"({})", ErrorCode::MissingField, "prompt"},
      {R"([])", ErrorCode::InvalidValue, ""},
      {R"({"prompt": "p", "samples": 2})", ErrorCode::InvalidValue, "samples"},
      {R"({"prompt": "p", "scheduler": "Euler b"})", ErrorCode::InvalidValue, "scheduler"},
      {R"({"prompt": "p", "scheduler": 1})", ErrorCode::InvalidValue, "scheduler"},
      {R"({"prompt": "p", "seed": "seven"})", ErrorCode::InvalidValue, "seed"},
      {R"({"prompt": "p", "seed": ""})", ErrorCode::InvalidValue, "seed"},
      {R"({"prompt": "p", "guidance_scale": "9 or so"})", ErrorCode::InvalidValue,
       "guidance_scale"},
      {R"({"prompt": "p", "img_width": "true"})", ErrorCode::InvalidValue, "img_width"},
      {R"({"prompt": "p", "num_inference_steps": "20.5"})", ErrorCode::InvalidValue,
       "num_inference_steps"},
      {R"({"prompt": "p", "img_height": "63"})", ErrorCode::InvalidValue, "img_height"},
      {R"({"prompt": "p", "img_height": 63})", ErrorCode::InvalidValue, "img_height"}};

  for (const BadBody& each : cases) expect_refused(segmind_dialect(), each);
}

TEST(Replies, OfEachDialect) {
  const ImageRequest request = parse_as(openai_dialect(), R"({"prompt": "p", "size": "512x640"})");

  const Json native = native_dialect().reply(request, example_reply());
  const Json openai = openai_dialect().reply(request, example_reply());
  const Json segmind = segmind_dialect().reply(request, example_reply());

  EXPECT_EQ(native, parse_json(R"({"created": 1000, "model": "icons", "prompt_tokens": 93,
      "images": [{"b64_json": "YWJj", "seed": 18446744073709551615}], "prompt_token_limit": 77,
      "timings_ms": {"queue": 0, "text_encoder": 0, "denoise": 12.5, "vae": 0, "encode": 0},
      "warnings": [{"code": "prompt_truncated", "message": "it was cut"}]})"));
  EXPECT_EQ(openai["data"], parse_json(R"([{"b64_json": "YWJj", "seed": 18446744073709551615}])"));
  EXPECT_EQ(openai["size"], "512x640");
  EXPECT_EQ(segmind, parse_json(R"({"image": "YWJj"})"));
}

TEST(Replies, LinksInsteadOfBytes) {
  const ImageRequest request =
      parse_as(openai_dialect(), R"({"prompt": "p", "response_format": "url"})");

  const Json reply = openai_dialect().reply(request, example_reply());

  EXPECT_EQ(reply["data"][0]["url"], "http://h/v1/images/1/content");
  EXPECT_FALSE(reply["data"][0].contains("b64_json"));
}

}  // namespace
}  // namespace ssd1b
