#include "service/dialects/native.h"

#include <gtest/gtest.h>

#include <set>

#include "dialects/example_model.h"

namespace ssd1b {
namespace {

std::string with(const std::string& name, const std::string& value) {
  return "{\"prompt\": \"a\", \"" + name + "\": " + value + "}";
}

TEST(Native, DefaultsAreTheModels) {
  const ImageRequest request = parse_example(R"({"prompt": "a red apple"})");

  ASSERT_EQ(request.pictures.size(), 1u);
  const GenerationRequest& picture = request.pictures[0];
  EXPECT_EQ(picture.prompt, "a red apple");
  EXPECT_EQ(picture.negative_prompt, std::nullopt);
  EXPECT_EQ(picture.width_px, 1024);
  EXPECT_EQ(picture.height_px, 768);
  EXPECT_EQ(picture.steps, 25);
  EXPECT_DOUBLE_EQ(picture.guidance_scale, 7.5);
  EXPECT_EQ(picture.scheduler, "euler");
  EXPECT_LT(picture.seed, std::uint64_t{1} << 32);
  EXPECT_EQ(picture.original_width_px, 1024);
  EXPECT_EQ(picture.original_height_px, 768);
  EXPECT_EQ(picture.target_width_px, 1024);
  EXPECT_EQ(picture.target_height_px, 768);
  EXPECT_EQ(picture.crop_top_px, 0);
  EXPECT_EQ(picture.crop_left_px, 0);
  EXPECT_EQ(picture.clip_skip, 0);
  EXPECT_EQ(request.reply, ReplyKind::Bytes);
  EXPECT_EQ(request.format, ImageFormat::Png);
  EXPECT_EQ(request.quality, 90);
  EXPECT_FALSE(request.embed_metadata);
  EXPECT_EQ(request.timeout.count(), 600000);
  EXPECT_TRUE(request.warnings.empty());
}

TEST(Native, EveryFieldIsRead) {
  const ImageRequest request = parse_example(R"({
      "text": "p", "negative_prompt": "n", "width": 512.0, "height": 640, "num_inference_steps": 4,
      "cfg_scale": 3, "seed": 18446744073709551614, "sampler": "LCMScheduler", "n": 2,
      "response_format": "b64_json", "output_format": "webp", "quality": 55, "timeout_ms": 1000,
      "original_width": 1, "original_height": 2, "target_width": 3, "target_height": 4,
      "crop_top": 5, "crop_left": 6, "clip_skip": 2, "embed_metadata": true})");

  ASSERT_EQ(request.pictures.size(), 2u);
  const GenerationRequest& picture = request.pictures[1];
  EXPECT_EQ(picture.prompt, "p");
  EXPECT_EQ(picture.negative_prompt, "n");
  EXPECT_EQ(picture.width_px, 512);
  EXPECT_EQ(picture.height_px, 640);
  EXPECT_EQ(picture.steps, 4);
  EXPECT_DOUBLE_EQ(picture.guidance_scale, 3.0);
  EXPECT_EQ(request.pictures[0].seed, 18446744073709551614u);
  EXPECT_EQ(picture.seed, 18446744073709551615u);
  EXPECT_EQ(picture.scheduler, "lcm");
  EXPECT_EQ(picture.original_width_px, 1);
  EXPECT_EQ(picture.original_height_px, 2);
  EXPECT_EQ(picture.target_width_px, 3);
  EXPECT_EQ(picture.target_height_px, 4);
  EXPECT_EQ(picture.crop_top_px, 5);
  EXPECT_EQ(picture.crop_left_px, 6);
  EXPECT_EQ(picture.clip_skip, 2);
  EXPECT_EQ(request.reply, ReplyKind::JsonText);
  EXPECT_EQ(request.format, ImageFormat::Webp);
  EXPECT_EQ(request.quality, 55);
  EXPECT_EQ(request.timeout.count(), 1000);
  EXPECT_TRUE(request.embed_metadata);
}

struct Range {
  const char* field;
  std::int64_t low;
  std::int64_t high;
  std::int64_t step = 1;
};

TEST(Native, IntegersHoldAtBothEndsAndNotOnePast) {
  const Range ranges[] = {
      {"width", 64, 2048, 8},          {"height", 64, 2048, 8},   {"steps", 1, 150},
      {"num_inference_steps", 1, 150}, {"timeout_ms", 1, 600000}, {"original_width", 0, 8192},
      {"original_height", 0, 8192},    {"target_width", 0, 8192}, {"target_height", 0, 8192},
      {"crop_top", 0, 8192},           {"crop_left", 0, 8192},    {"clip_skip", 0, 10}};

  for (const Range& range : ranges) {
    for (const std::int64_t good : {range.low, range.high}) {
      EXPECT_FALSE(fault_of(with(range.field, std::to_string(good)))) << range.field << good;
    }
    for (const std::int64_t bad :
         {range.low - 1, range.low - range.step, range.high + 1, range.high + range.step}) {
      const auto fault = fault_of(with(range.field, std::to_string(bad)));
      ASSERT_TRUE(fault) << range.field << bad;
      EXPECT_EQ(fault->param(), range.field);
    }
  }
}

TEST(Native, FieldsThatNeedOthersHoldAtBothEnds) {
  const auto quality = [](int value) {
    return R"({"prompt": "a", "output_format": "jpeg", "quality": )" + std::to_string(value) + "}";
  };
  const auto images = [](int value) {
    return R"({"prompt": "a", "response_format": "b64_json", "num_images": )" +
           std::to_string(value) + "}";
  };

  for (const int good : {1, 100}) EXPECT_FALSE(fault_of(quality(good))) << good;
  for (const int bad : {0, 101}) EXPECT_TRUE(fault_of(quality(bad))) << bad;
  for (const int good : {1, 8}) EXPECT_FALSE(fault_of(images(good))) << good;
  for (const int bad : {0, 9}) EXPECT_TRUE(fault_of(images(bad))) << bad;
  EXPECT_FALSE(fault_of(R"({"prompt": "a", "scheduler": "lcm", "steps": 50})"));
  EXPECT_FALSE(fault_of(R"({"prompt": "a", "width": 1536, "height": 1536})"));
}

TEST(Native, GuidanceHoldsAtBothEnds) {
  for (const char* good : {"0", "0.0", "1e-9", "49.999", "50", "5e1"}) {
    EXPECT_FALSE(fault_of(with("guidance_scale", good))) << good;
  }
}

TEST(Native, FaultsShowNumbersAsTheyWereWritten) {
  const auto got = [](const std::string& name, const std::string& value) {
    const std::string body = with(name, value);
    try {
      parse_native(parse_json(body), {"", "", body}, example_model(), example_rules());
    } catch (const Error& error) {
      const std::string text = error.what();
      return text.substr(text.rfind("got "));
    }
    return std::string("nothing was wrong");
  };

  EXPECT_EQ(got("seed", "18446744073709551616"), "got 18446744073709551616");
  EXPECT_EQ(got("seed", "-2.0"), "got -2.0");
  EXPECT_EQ(got("steps", "0.0"), "got 0.0");
  EXPECT_EQ(got("steps", "1e3"), "got 1e3");
  EXPECT_EQ(got("steps", "151"), "got 151");
  EXPECT_EQ(got("steps", "2.50"), "got 2.50");
  EXPECT_EQ(got("guidance_scale", "50.10"), "got 50.10");
  EXPECT_EQ(got("steps", "1." + std::string(500, '0') + "1").size(), 4 + 64 + 3u);
}

TEST(Native, PromptHoldsUpTo4096BytesOfAnyScript) {
  const auto body = [](const std::string& prompt) { return "{\"prompt\": \"" + prompt + "\"}"; };
  std::string marks;
  for (int i = 0; i < 1365; ++i) marks += "\xE2\x82\xAC";  // 1365 * 3 = 4095 bytes

  EXPECT_FALSE(fault_of(body(std::string(4096, 'a'))));
  EXPECT_TRUE(fault_of(body(std::string(4097, 'a'))));
  EXPECT_FALSE(fault_of(body(marks + "a")));
  EXPECT_TRUE(fault_of(body(marks + "aa")));
  EXPECT_FALSE(fault_of(body(" ")));
  EXPECT_FALSE(fault_of(body("a\\tb\\nc")));
  EXPECT_FALSE(fault_of(body("\xC2\xA0")));  // U+00A0, one past C1
  EXPECT_FALSE(
      fault_of(body("\xE2\x80\xAE"
                    "abc")));  // right-to-left override
  EXPECT_FALSE(fault_of(body("\xF0\x9F\x91\xA9\xE2\x80\x8D\xF0\x9F\x9A\x80")));  // joined emoji
}

TEST(Native, SeedIsExactOver64BitsAndRandomWhereNoneIsGiven) {
  for (const char* random : {"null", "-1", "-1.0"}) {
    std::set<std::uint64_t> seeds;
    for (int i = 0; i < 8; ++i) {
      seeds.insert(parse_example(with("seed", random)).pictures[0].seed);
    }
    EXPECT_GT(seeds.size(), 1u) << random;
    EXPECT_LT(*seeds.rbegin(), std::uint64_t{1} << 32) << random;
  }
  const auto seed_of = [](const char* text) {
    return parse_example(with("seed", text)).pictures[0].seed;
  };
  EXPECT_EQ(seed_of("0"), 0u);
  EXPECT_EQ(seed_of("9007199254740993"), 9007199254740993u);
  EXPECT_EQ(seed_of("18446744073709551615"), 18446744073709551615u);
}

TEST(Native, SeedsOfAllPicturesFit64Bits) {
  const auto body = [](const char* seed, int n) {
    return std::string(R"({"prompt": "a", "response_format": "b64_json", "seed": )") + seed +
           ", \"n\": " + std::to_string(n) + "}";
  };

  EXPECT_FALSE(fault_of(body("18446744073709551612", 4)));
  const auto fault = fault_of(body("18446744073709551613", 4));
  ASSERT_TRUE(fault);
  EXPECT_EQ(fault->param(), "seed");
}

TEST(Native, NullNegativePromptOverridesTheModels) {
  ModelInfo model = example_model();
  model.negative_prompt = "blurry";
  const auto negative_of = [&](const char* body) {
    return parse_native(parse_json(body), {}, model, example_rules()).pictures[0].negative_prompt;
  };

  EXPECT_EQ(negative_of(R"({"prompt": "a"})"), "blurry");
  EXPECT_EQ(negative_of(R"({"prompt": "a", "negative_prompt": null})"), std::nullopt);
  EXPECT_EQ(negative_of(R"({"prompt": "a", "negative_prompt": ""})"), "");
}

TEST(Native, WarnsOfANegativePromptThatHasNoEffect) {
  const auto count = [](const char* body) { return parse_example(body).warnings.size(); };

  EXPECT_EQ(count(R"({"prompt": "a", "negative_prompt": "b", "guidance_scale": 1})"), 1u);
  EXPECT_EQ(count(R"({"prompt": "a", "negative_prompt": "b", "guidance_scale": 1.01})"), 0u);
  EXPECT_EQ(count(R"({"prompt": "a", "negative_prompt": null, "guidance_scale": 1})"), 0u);
  EXPECT_EQ(count(R"({"prompt": "a", "guidance_scale": 1})"), 0u);
}

TEST(Native, SchedulerByNameOrClass) {
  const auto scheduler_of = [](const char* name) {
    return parse_example(with("scheduler", name)).pictures[0].scheduler;
  };

  EXPECT_EQ(scheduler_of("\"euler_karras\""), "euler_karras");
  EXPECT_EQ(scheduler_of("\"EulerDiscreteScheduler\""), "euler");
  EXPECT_EQ(scheduler_of("\"DPMSolverMultistepScheduler\""), "dpmpp_2m");
}

TEST(Native, OnlyAJobHasPreviews) {
  const Json body = parse_json(R"({"prompt": "a", "num_images": 2, "previews": 3,)"
                               R"( "response_format": "b64_json"})");

  const ImageRequest job = parse_job(body, {}, example_model(), example_rules());
  for (const GenerationRequest& each : job.pictures) EXPECT_EQ(each.previews, 3);
  EXPECT_EQ(parse_job(parse_json(R"({"prompt": "a"})"), {}, example_model(), example_rules())
                .pictures[0]
                .previews,
            0);
  const auto fault = fault_of(R"({"prompt": "a", "previews": 1})");
  ASSERT_TRUE(fault);
  EXPECT_EQ(fault->code(), ErrorCode::UnknownField);
  EXPECT_EQ(fault->param(), "previews");
}

TEST(Native, AcceptDecidesWhatTheBodyLeavesOpen) {
  EXPECT_EQ(parse_example(R"({"prompt": "a"})", "image/webp").format, ImageFormat::Webp);
  EXPECT_EQ(parse_example(R"({"prompt": "a"})", "application/json").reply, ReplyKind::JsonText);
  EXPECT_FALSE(fault_of(R"({"prompt": "a", "n": 2})", "application/json"));
  EXPECT_FALSE(fault_of(R"({"prompt": "a", "quality": 5})", "image/webp"));
  const auto fault = fault_of(R"({"prompt": "a", "output_format": "jpeg"})", "image/png");
  ASSERT_TRUE(fault);
  EXPECT_EQ(fault->code(), ErrorCode::NotAcceptable);
}

}  // namespace
}  // namespace ssd1b
