#include "wire/messages.h"

#include <gmock/gmock.h>

#include <limits>
#include <nlohmann/json.hpp>

#include "wire/example_messages.h"

namespace ssd1b {
namespace {

using json = nlohmann::ordered_json;
using ::testing::HasSubstr;

template <typename Message>
Message through_the_wire(WorkerMessage message) {
  return std::get<Message>(decode_worker_message(encode(std::move(message))));
}

template <typename Message>
Message through_the_wire(ServerMessage message) {
  return std::get<Message>(decode_server_message(encode(std::move(message))));
}

TEST(Messages, ARequestArrivesAsItWas) {
  const GenerationRequest want = example_request();

  const auto message = through_the_wire<AdmitMessage>(ServerMessage(AdmitMessage{42, want}));

  const GenerationRequest& got = message.request;
  EXPECT_EQ(message.id, 42u);
  EXPECT_EQ(got.prompt, want.prompt);
  EXPECT_EQ(got.negative_prompt, want.negative_prompt);
  EXPECT_EQ(got.width_px, want.width_px);
  EXPECT_EQ(got.height_px, want.height_px);
  EXPECT_EQ(got.steps, want.steps);
  EXPECT_EQ(got.guidance_scale, want.guidance_scale);
  EXPECT_EQ(got.seed, want.seed);
  EXPECT_EQ(got.scheduler, want.scheduler);
  EXPECT_EQ(got.original_width_px, want.original_width_px);
  EXPECT_EQ(got.original_height_px, want.original_height_px);
  EXPECT_EQ(got.target_width_px, want.target_width_px);
  EXPECT_EQ(got.target_height_px, want.target_height_px);
  EXPECT_EQ(got.crop_top_px, want.crop_top_px);
  EXPECT_EQ(got.crop_left_px, want.crop_left_px);
  EXPECT_EQ(got.clip_skip, want.clip_skip);
  EXPECT_EQ(got.previews, want.previews);
}

TEST(Messages, NoNegativePromptIsNotAnEmptyOne) {
  GenerationRequest request = example_request();
  request.negative_prompt.reset();

  const auto message = through_the_wire<AdmitMessage>(ServerMessage(AdmitMessage{1, request}));

  EXPECT_FALSE(message.request.negative_prompt.has_value());
}

TEST(Messages, AModelArrivesAsItWas) {
  const ModelInfo want = example_model();

  const auto got = through_the_wire<ReadyMessage>(WorkerMessage(ReadyMessage{want})).model;

  EXPECT_EQ(got.type, want.type);
  EXPECT_EQ(got.device, want.device);
  EXPECT_EQ(got.dtype, want.dtype);
  EXPECT_EQ(got.vae_dtype, want.vae_dtype);
  EXPECT_EQ(got.vae_scale_factor, want.vae_scale_factor);
  EXPECT_EQ(got.latent_channels, want.latent_channels);
  EXPECT_EQ(got.prompt_token_limit, want.prompt_token_limit);
  EXPECT_EQ(got.max_clip_skip, want.max_clip_skip);
  EXPECT_EQ(got.guidance_embedded, want.guidance_embedded);
  EXPECT_EQ(got.max_pictures, want.max_pictures);
  EXPECT_EQ(got.steps, want.steps);
  EXPECT_EQ(got.guidance_scale, want.guidance_scale);
  EXPECT_EQ(got.width_px, want.width_px);
  EXPECT_EQ(got.height_px, want.height_px);
  EXPECT_EQ(got.scheduler, want.scheduler);
  EXPECT_EQ(got.negative_prompt, want.negative_prompt);
  ASSERT_EQ(got.schedulers.size(), 2u);
  EXPECT_EQ(got.schedulers[0].unet_calls, std::vector<int>());
  EXPECT_EQ(got.schedulers[1].name, "pndm");
  EXPECT_EQ(got.schedulers[1].class_name, "PNDMScheduler");
  EXPECT_EQ(got.schedulers[1].max_steps, 6);
  EXPECT_EQ(got.schedulers[1].min_steps, 4);
  EXPECT_EQ(got.schedulers[1].unet_calls, (std::vector<int>{13, 14, 15}));
  EXPECT_EQ(got.libtorch_version, want.libtorch_version);
  EXPECT_EQ(got.cuda_version, want.cuda_version);
}

TEST(Messages, APictureArrivesAsItWas) {
  const GeneratedImage want = example_result();

  const auto message =
      through_the_wire<FinishedMessage>(WorkerMessage(FinishedMessage{9, example_result()}));

  EXPECT_EQ(message.id, 9u);
  EXPECT_EQ(message.result.image.width_px, 3);
  EXPECT_EQ(message.result.image.height_px, 2);
  EXPECT_EQ(message.result.image.rgb, want.image.rgb);
  EXPECT_EQ(message.result.seed, want.seed);
  EXPECT_EQ(message.result.prompt_tokens, 93);
  EXPECT_EQ(message.result.prompt_token_limit, 77);
  ASSERT_EQ(message.result.warnings.size(), 2u);
  EXPECT_EQ(message.result.warnings[1].code, "unknown_words");
  EXPECT_EQ(message.result.warnings[1].message, "xyz");
  EXPECT_EQ(message.result.timings.text_encoder_ms, 1.5);
  EXPECT_EQ(message.result.timings.denoise_ms, 2.25);
  EXPECT_EQ(message.result.timings.vae_ms, 0.1);
}

TEST(Messages, ProgressPreviewsAndFaultsArriveAsTheyWere) {
  const auto progress =
      through_the_wire<ProgressMessage>(WorkerMessage(ProgressMessage{4, {5, 25}, 12.5, 2, false}));
  EXPECT_EQ(progress.progress.step, 5);
  EXPECT_EQ(progress.progress.steps, 25);
  EXPECT_EQ(progress.unit_ms, 12.5);
  EXPECT_EQ(progress.unit_pictures, 2);
  EXPECT_FALSE(progress.leads_unit);

  const auto preview = through_the_wire<PreviewMessage>(
      WorkerMessage(PreviewMessage{5, {example_result().image, 3, 4}}));
  EXPECT_EQ(preview.preview.image.rgb, example_result().image.rgb);
  EXPECT_EQ(preview.preview.step, 3);

  const auto failed = through_the_wire<FailedMessage>(
      WorkerMessage(FailedMessage{6, ErrorCode::OutOfMemory, "none left \xff"}));
  EXPECT_EQ(failed.code, ErrorCode::OutOfMemory);
  EXPECT_EQ(failed.message, "none left \uFFFD");  // a fault's text may come from anywhere

  const auto fatal =
      through_the_wire<FatalMessage>(WorkerMessage(FatalMessage{ErrorCode::NoDevice, "no GPU"}));
  EXPECT_EQ(fatal.code, ErrorCode::NoDevice);
  EXPECT_EQ(fatal.message, "no GPU");
}

TEST(Messages, APromptThatIsNotUtf8DoesNotLeave) {
  GenerationRequest request = example_request();
  request.prompt = "\xc3";

  EXPECT_THROW(encode(ServerMessage(AdmitMessage{1, request})), Error);
}

TEST(Messages, ANumberThatIsNotFiniteDoesNotLeave) {
  GenerationRequest request = example_request();
  request.guidance_scale = std::numeric_limits<double>::infinity();

  EXPECT_THROW(encode(ServerMessage(AdmitMessage{1, request})), Error);
}

TEST(Messages, NumbersArriveToTheLastBit) {
  for (const double value : {0.1, 1.0 / 3.0, 1e-300, 12345678.123456789}) {
    const auto progress = through_the_wire<ProgressMessage>(
        WorkerMessage(ProgressMessage{4, {5, 25}, value, 2, false}));
    EXPECT_EQ(progress.unit_ms, value);
  }
}

/// What is said of a frame whose JSON was changed.
std::string refusal_of(Frame frame) {
  try {
    if (is_from_server(frame.type)) {
      decode_server_message(std::move(frame));
    } else {
      decode_worker_message(std::move(frame));
    }
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::MalformedRequest);
    return error.what();
  }
  return "accepted";
}

TEST(Messages, EveryFieldMustBeThereOnceWithItsType) {
  for (const Frame& frame : example_frames()) {
    const json object = json::parse(frame.json);
    for (const auto& [name, value] : object.items()) {
      Frame changed = frame;
      json without = object;
      without.erase(name);
      changed.json = without.dump();
      EXPECT_THAT(refusal_of(changed), HasSubstr(name)) << frame.json;

      for (const json& other : {json(true), json(-1.5), json("text"), json{{"a", 1}}}) {
        if (other.type() == value.type() || (other.is_number() && value.is_number_float()))
          continue;
        if (other.is_string() && name == "negative_prompt") continue;
        json with = object;
        with[name] = other;
        changed.json = with.dump();
        EXPECT_NE(refusal_of(changed), "accepted") << name << " of " << with;
      }
    }
    Frame more = frame;
    json with = object;
    with["something_else"] = 1;
    more.json = with.dump();
    EXPECT_THAT(refusal_of(more), HasSubstr("must end"));
  }
}

TEST(Messages, RefusesJsonThatIsNotOneFlatObject) {
  for (const char* text : {"", "{", "[]", "null", "1", "{}{}", "{\"a\":1,\"a\":1}", "{\"a\":{}}",
                           "{\"a\":[[]]}", "{\"a\":[{}]}", "\xff", " {}", "{}\n"}) {
    EXPECT_NE(refusal_of({FrameType::Cancel, 1, text, {}}), "accepted") << text;
  }
  EXPECT_EQ(refusal_of({FrameType::Cancel, 1, "{}", {}}), "accepted");
  const std::string deep(200000, '[');
  EXPECT_NE(refusal_of({FrameType::Cancel, 1, "{\"a\":" + deep, {}}), "accepted");
}

TEST(Messages, RefusesNumbersOutOfRange) {
  const Frame progress = encode(WorkerMessage(ProgressMessage{1, {1, 2}, 1.0, 1, true}));
  for (const char* number : {"-1", "16777217", "18446744073709551615", "1.0", "1e3"}) {
    Frame changed = progress;
    changed.json = "{\"step\":" + std::string(number) +
                   ",\"steps\":2,\"unit_ms\":1,\"unit_pictures\":1,\"leads_unit\":true}";
    EXPECT_THAT(refusal_of(changed), HasSubstr("step")) << number;
  }
}

TEST(Messages, RefusesNumbersThatAreNone) {
  for (const char* number : {"", "1e999", "nan", "inf", "0x10", "+1", "1 ", "1.5.5", "\"1\""}) {
    const std::string text = "{\"step\":1,\"steps\":2,\"unit_ms\":" + std::string(number) +
                             ",\"unit_pictures\":1,\"leads_unit\":true}";
    EXPECT_THAT(refusal_of({FrameType::Progress, 1, text, {}}), HasSubstr("unit_ms")) << number;
  }
}

TEST(Messages, RefusesTextsThatAreNone) {
  using namespace std::string_literals;
  for (const std::string& literal :
       {"\"\xff\""s, "\"\xed\xa0\x80\""s, "\"\\ud800\""s, "\"a\nb\""s, "\"a\0b\""s, "\"a\\"s,
        "\"a\\\""s, "\"a"s, "\"\\x\""s, "a"s, "\0"s}) {
    EXPECT_THAT(refusal_of({FrameType::Failed,
                            1,
                            "{\"code\":\"internal_error\",\"message\":" + literal + "}",
                            {}}),
                HasSubstr("message"))
        << literal;
  }
}

TEST(Messages, RefusesAPictureOfAnotherSizeThanItsBytes) {
  Frame frame = encode(WorkerMessage(FinishedMessage{1, example_result()}));
  frame.bytes.pop_back();
  EXPECT_THAT(refusal_of(frame), HasSubstr("18 bytes, got 17"));

  frame.bytes.assign(18 + 1, 0);
  EXPECT_THAT(refusal_of(frame), HasSubstr("got 19"));
}

TEST(Messages, RefusesBytesAndMessagesWhereNoneBelong) {
  EXPECT_NE(refusal_of({FrameType::Tick, 0, "{}", {1}}), "accepted");
  EXPECT_NE(refusal_of({FrameType::Stop, 0, "{}", {1}}), "accepted");
  EXPECT_THROW(decode_server_message(encode(WorkerMessage(TickMessage{}))), Error);
  EXPECT_THROW(decode_worker_message(encode(ServerMessage(StopMessage{}))), Error);
}

TEST(Messages, RefusesAPictureWhereNoneBelongs) {
  for (Frame& frame : example_frames()) {
    if (frame.picture != 0) continue;
    frame.picture = 5;
    EXPECT_NE(refusal_of(frame), "accepted") << static_cast<int>(frame.type);
  }
}

TEST(Messages, RefusesAnUnknownErrorCode) {
  EXPECT_THAT(refusal_of({FrameType::Fatal, 0, R"({"code":"nonsense","message":""})", {}}),
              HasSubstr("nonsense"));
}

TEST(Messages, RefusesACodeThatIsNotAWorkersToSay) {
  for (const char* code : {"invalid_api_key", "queue_full", "cancelled", "not_found"}) {
    const std::string text = "{\"code\":\"" + std::string(code) + "\",\"message\":\"\"}";
    EXPECT_THAT(refusal_of({FrameType::Failed, 1, text, {}}), HasSubstr(code));
  }
}

TEST(Messages, RefusesATimeThatNothingTakes) {
  for (const double ms : {-1.0, 1e308}) {
    GeneratedImage result = example_result();
    result.timings.vae_ms = ms;
    EXPECT_THAT(refusal_of(encode(WorkerMessage(FinishedMessage{1, result}))), HasSubstr("vae_ms"));
  }
}

}  // namespace
}  // namespace ssd1b
