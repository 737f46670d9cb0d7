// The real engine on the model that comes with the project. That its pictures are the right ones is
// shown by tests/parity; here: turns, company, cancel, finish, faults.
#include "ssd1b/pipeline.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <set>

#include "pipeline/changed_model.h"

namespace ssd1b {
namespace {

ModelOptions icons() {
  ModelOptions options;
  options.model = std::string(SSD1B_SOURCE_DIR) + "/models/icons";
  options.shipped_models = std::string(SSD1B_SOURCE_DIR) + "/models";
  options.threads = 1;
  return options;
}

/// Loaded once: tests leave it without pictures.
Engine& engine() {
  static const std::unique_ptr<Engine> opened = open_model(icons());
  return *opened;
}

GenerationRequest apple(int steps = 4) {
  GenerationRequest request = default_request(engine().model());
  request.prompt = "a red apple";
  request.seed = 7;
  request.steps = steps;
  return request;
}

/// Steps until every picture has ended; all events in order.
std::vector<PictureEvent> run() {
  std::vector<PictureEvent> events;
  for (int idle = 0; idle < 3;) {
    const std::vector<PictureEvent> now = engine().step();
    idle =
        now.empty() ? idle + 1 : 0;  // an encoding reports nothing; three units without news: done
    events.insert(events.end(), now.begin(), now.end());
  }
  return events;
}

std::map<PictureId, GeneratedImage> finished(const std::vector<PictureEvent>& events) {
  std::map<PictureId, GeneratedImage> images;
  for (const PictureEvent& event : events) {
    if (const auto* done = std::get_if<PictureFinished>(&event.what)) {
      images[event.id] = done->result;
    }
  }
  return images;
}

TEST(Pipeline, TellsWhatItsModelCanDo) {
  const ModelInfo& model = engine().model();

  EXPECT_EQ(model.device, "cpu");
  EXPECT_EQ(model.dtype, "float32");
  EXPECT_EQ(model.vae_scale_factor, 8);
  EXPECT_EQ(model.width_px, 128);
  EXPECT_EQ(model.scheduler, "euler");
  EXPECT_EQ(model.max_pictures, 4);
  EXPECT_EQ(model.max_clip_skip, 0);  // the smaller encoder has two layers
}

TEST(Pipeline, MakesAPictureWithItsTimings) {
  std::vector<int> steps;

  const GeneratedImage image = generate(
      engine(), apple(), [&](const PictureProgress& progress) { steps.push_back(progress.step); });

  EXPECT_EQ(image.image.width_px, 128);
  EXPECT_EQ(image.image.rgb.size(), 3u * 128 * 128);
  EXPECT_EQ(image.seed, 7u);
  EXPECT_EQ(image.prompt_tokens, 5);  // begin, three words, end
  EXPECT_EQ(image.prompt_token_limit, 77);
  EXPECT_THAT(steps, testing::ElementsAre(1, 2, 3, 4));
  EXPECT_GT(image.timings.text_encoder_ms, 0.0);
  EXPECT_GT(image.timings.denoise_ms, 0.0);
  EXPECT_GT(image.timings.vae_ms, 0.0);
  const std::set<std::uint8_t> values(image.image.rgb.begin(), image.image.rgb.end());
  EXPECT_GT(values.size(), 20u) << "a picture of one colour";
}

TEST(Pipeline, APicturesBytesDoNotDependOnItsCompany) {
  const GeneratedImage alone = generate(engine(), apple(), nullptr);
  engine().admit(10, apple());
  GenerationRequest other = apple(/*steps=*/6);
  other.prompt = "a blue car on a yellow background";
  other.scheduler = "euler_a";
  engine().admit(11, other);
  other.guidance_scale = 1.0;
  other.width_px = 64;
  engine().admit(12, other);

  const auto images = finished(run());

  ASSERT_EQ(images.size(), 3u);
  EXPECT_EQ(images.at(10).image.rgb, alone.image.rgb);
  EXPECT_NE(images.at(11).image.rgb, alone.image.rgb);
}

TEST(Pipeline, AShortPictureEndsBeforeALongOne) {
  engine().admit(20, apple(/*steps=*/12));
  for (int unit = 0; unit < 3; ++unit) engine().step();
  engine().admit(21, apple(/*steps=*/2));
  std::vector<PictureId> ended;

  for (const PictureEvent& event : run()) {
    if (std::holds_alternative<PictureFinished>(event.what)) ended.push_back(event.id);
  }

  EXPECT_THAT(ended, testing::ElementsAre(21, 20));
}

TEST(Pipeline, ACancelledPictureGetsNoFurtherUnit) {
  engine().admit(30, apple());
  engine().step();
  engine().step();

  engine().cancel(30);

  EXPECT_TRUE(run().empty());
}

TEST(Pipeline, PreviewsComeOnTheWayAndChangeNothing) {
  const GeneratedImage without = generate(engine(), apple(/*steps=*/8), nullptr);
  GenerationRequest request = apple(/*steps=*/8);
  request.previews = 3;
  engine().admit(45, request);
  const std::vector<PictureEvent> events = run();

  std::vector<int> steps;
  std::set<std::vector<std::uint8_t>> pictures;
  int last_step = 0;
  for (const PictureEvent& event : events) {
    if (const auto* progress = std::get_if<PictureProgress>(&event.what)) {
      last_step = progress->step;
    } else if (const auto* preview = std::get_if<PicturePreview>(&event.what)) {
      EXPECT_EQ(preview->step, last_step);
      EXPECT_EQ(preview->steps, 8);
      EXPECT_EQ(preview->image.width_px, 128);
      steps.push_back(preview->step);
      pictures.insert(preview->image.rgb);
    }
  }

  EXPECT_THAT(steps, testing::ElementsAre(2, 4, 6));
  EXPECT_EQ(finished(events).at(45).image.rgb, without.image.rgb);
  pictures.insert(without.image.rgb);
  EXPECT_EQ(pictures.size(), 4u) << "each is another picture";
}

TEST(Pipeline, AShortPictureHasAsManyPreviewsAsItHasStepsBetween) {
  for (const auto& [scheduler, steps] : std::vector<std::pair<std::string, int>>{
           {"euler", 1}, {"euler", 2}, {"euler", 3}, {"heun", 2}, {"heun", 3}}) {
    GenerationRequest request = apple(steps);
    request.scheduler = scheduler;
    request.previews = 3;
    engine().admit(46, request);
    std::vector<int> seen;
    for (const PictureEvent& event : run()) {
      if (const auto* preview = std::get_if<PicturePreview>(&event.what)) {
        seen.push_back(preview->step);
      }
    }

    std::vector<int> wanted;
    for (int step = 1; step < steps; ++step) wanted.push_back(step);
    EXPECT_EQ(seen, wanted) << request.scheduler;
    EXPECT_EQ(work_of(request, engine().model()).decodes, 1 + static_cast<int>(seen.size()));
  }
}

TEST(Pipeline, FinishDecodesThePictureAsItIs) {
  engine().admit(40, apple(/*steps=*/12));
  for (int unit = 0; unit < 4; ++unit) engine().step();

  engine().finish(40);
  const std::vector<PictureEvent> events = engine().step();

  ASSERT_EQ(events.size(), 1u);
  EXPECT_TRUE(std::holds_alternative<PictureFinished>(events.front().what));
}

TEST(Pipeline, FinishBeforeTheFirstUnitStillAnswers) {
  engine().admit(41, apple());

  engine().finish(41);
  const auto images = finished(run());

  EXPECT_EQ(images.count(41), 1u);
}

TEST(Pipeline, UnknownIdsAreNoFault) {
  EXPECT_NO_THROW(engine().cancel(999));
  EXPECT_NO_THROW(engine().finish(999));
  EXPECT_TRUE(engine().step().empty());
}

TEST(Pipeline, RefusesARequestThatTheModelCannotMake) {
  GenerationRequest request = apple();
  request.width_px = 100;

  EXPECT_THROW(engine().admit(50, request), Error);
  EXPECT_TRUE(engine().step().empty());
}

TEST(Pipeline, WarnsOfCutPromptsUnknownWordsAndUnusedNegativePrompts) {
  GenerationRequest request = apple(/*steps=*/1);
  for (int word = 0; word < 90; ++word) request.prompt += " apple";
  request.prompt += " zeppelin";
  request.guidance_scale = 1.0;
  request.negative_prompt = "blurry";

  const GeneratedImage image = generate(engine(), request, nullptr);

  std::set<std::string> codes;
  for (const Warning& warning : image.warnings) codes.insert(warning.code);
  EXPECT_THAT(codes, testing::UnorderedElementsAre("prompt_truncated", "unknown_words",
                                                   "negative_prompt_unused"));
  EXPECT_GT(image.prompt_tokens, 77);
}

TEST(Pipeline, ReportsProgressInStepsOfTheRequest) {
  GenerationRequest request = apple(/*steps=*/3);
  request.scheduler = "heun";  // five UNet calls
  std::vector<int> steps;

  generate(engine(), request,
           [&](const PictureProgress& progress) { steps.push_back(progress.step); });

  EXPECT_EQ(steps.size(), 5u);
  EXPECT_TRUE(std::is_sorted(steps.begin(), steps.end()));
  EXPECT_EQ(steps.back(), 3);
}

TEST(Pipeline, ComputesInBfloat16Too) {
  ModelOptions options = icons();
  options.dtype = "bfloat16";
  const std::unique_ptr<Engine> half = open_model(options);

  const GeneratedImage image = generate(*half, apple(), nullptr);

  EXPECT_EQ(half->model().dtype, "bfloat16");
  EXPECT_EQ(half->model().vae_dtype, "float32");  // the model asks for it
  EXPECT_EQ(image.image.rgb.size(), 3u * 128 * 128);
}

TEST(Pipeline, KeepsLatentsOnlyWhereAskedTo) {
  ModelOptions options = icons();
  options.keep_latents = true;
  const std::unique_ptr<Engine> keeping = open_model(options);

  EXPECT_EQ(generate(*keeping, apple(1), nullptr).latents.size(), 8u * 16 * 16);
  EXPECT_TRUE(generate(engine(), apple(1), nullptr).latents.empty());
}

TEST(OpenModel, SaysWhatIsWrongWithTheModel) {
  ModelOptions options = icons();
  options.model = "/nonexistent/model";

  try {
    open_model(options);
    FAIL() << "a missing folder was opened";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::BadModel);
    EXPECT_THAT(error.what(), testing::HasSubstr("/nonexistent/model"));
  }
}

TEST(OpenModel, RefusesALoraThatIsNotThere) {
  ModelOptions options = icons();
  options.loras = {{"/nonexistent/lora.safetensors", 1.0}};

  try {
    open_model(options);
    FAIL() << "a model was opened with a missing LoRA";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::BadModel);
    EXPECT_THAT(error.what(), testing::HasSubstr("/nonexistent/lora.safetensors"));
  }
}

TEST(OpenModel, RefusesAMemoryLimitThatTheModelDoesNotFit) {
  ModelOptions with_limit = icons();
  with_limit.device_memory_limit_bytes = 1 << 20;

  EXPECT_THROW(open_model(with_limit), Error);
}

TEST(OpenModel, FollowsTheIndexWhereAnotherClassSavedTheScheduler) {
  const ChangedModel model("another_scheduler");
  std::ofstream(model.options.model / "scheduler" / "scheduler_config.json")
      << R"({"_class_name": "LCMScheduler", "original_inference_steps": 20})";

  EXPECT_EQ(open_model(model.options)->model().scheduler, "euler");
}

TEST(OpenModel, RefusesCudaWithoutAUsableGpu) {
  for (const DeviceInfo& device : list_devices()) {
    if (device.name != "cpu" && device.usable) GTEST_SKIP() << "this machine has a GPU";
  }
  ModelOptions options = icons();
  options.device = "cuda:0";

  try {
    open_model(options);
    FAIL() << "opened a GPU that is not there";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::NoDevice);
    EXPECT_THAT(error.what(), testing::HasSubstr("driver 580 or newer"));
    EXPECT_THAT(error.what(), testing::Not(testing::HasSubstr("\n")));
  }
}

}  // namespace
}  // namespace ssd1b
