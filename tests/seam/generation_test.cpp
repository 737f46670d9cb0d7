#include "ssd1b/generation.h"

#include <gtest/gtest.h>

#include <functional>
#include <limits>

#include "ssd1b/engine.h"

namespace ssd1b {
namespace {

ModelInfo ssd1b_model() {
  ModelInfo model;
  model.max_clip_skip = 10;
  model.schedulers = {{"euler", "EulerDiscreteScheduler", 150},
                      {"pndm", "PNDMScheduler", 6, 4, {13, 14, 15}},
                      {"lcm", "LCMScheduler", 50}};
  return model;
}

GenerationRequest apple(const ModelInfo& model) {
  GenerationRequest request = default_request(model);
  request.prompt = "a red apple";
  return request;
}

TEST(DefaultRequest, IsTheModelsOwnPicture) {
  const ModelInfo model = ssd1b_model();

  const GenerationRequest request = apple(model);

  EXPECT_EQ(request.width_px, 1024);
  EXPECT_EQ(request.target_height_px, 1024);
  EXPECT_EQ(request.steps, 25);
  EXPECT_EQ(request.guidance_scale, 7.5);
  EXPECT_FALSE(request.negative_prompt.has_value());
  EXPECT_NO_THROW(check_request(request, model));
}

struct BadRequest {
  const char* param;
  std::function<void(GenerationRequest&)> spoil;
};

TEST(CheckRequest, NamesTheFieldThatIsWrong) {
  const ModelInfo model = ssd1b_model();
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const BadRequest cases[] = {
      {"prompt", [](auto& r) { r.prompt.clear(); }},
      {"width", [](auto& r) { r.width_px = 56; }},
      {"width", [](auto& r) { r.width_px = 1001; }},
      {"width", [](auto& r) { r.width_px = 2056; }},
      {"height", [](auto& r) { r.height_px = 0; }},
      {"steps", [](auto& r) { r.steps = 0; }},
      {"steps", [](auto& r) { r.steps = 151; }},
      {"steps", [](auto& r) { r.scheduler = "lcm", r.steps = 51; }},
      {"steps", [](auto& r) { r.scheduler = "pndm", r.steps = 3; }},
      {"guidance_scale", [](auto& r) { r.guidance_scale = -0.1; }},
      {"guidance_scale", [](auto& r) { r.guidance_scale = 50.1; }},
      {"guidance_scale", [nan](auto& r) { r.guidance_scale = nan; }},
      {"scheduler", [](auto& r) { r.scheduler = "eular"; }},
      {"original_width", [](auto& r) { r.original_width_px = 8193; }},
      {"original_height", [](auto& r) { r.original_height_px = -1; }},
      {"target_width", [](auto& r) { r.target_width_px = 8193; }},
      {"target_height", [](auto& r) { r.target_height_px = -1; }},
      {"crop_top", [](auto& r) { r.crop_top_px = -1; }},
      {"crop_left", [](auto& r) { r.crop_left_px = 8193; }},
      {"clip_skip", [](auto& r) { r.clip_skip = 11; }},
      {"previews", [](auto& r) { r.previews = 4; }},
  };
  for (const BadRequest& bad : cases) {
    GenerationRequest request = apple(model);
    bad.spoil(request);
    try {
      check_request(request, model);
      ADD_FAILURE() << bad.param << " was accepted";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::InvalidValue);
      EXPECT_EQ(error.param(), bad.param);
    }
  }
}

TEST(CheckRequest, AcceptsBothEdges) {
  const ModelInfo model = ssd1b_model();
  GenerationRequest request = apple(model);
  request.width_px = 64;
  request.height_px = 2048;
  request.steps = 150;
  request.guidance_scale = 50.0;
  request.crop_top_px = 8192;
  request.clip_skip = 10;

  EXPECT_NO_THROW(check_request(request, model));
}

TEST(WorkOf, CountsTheUNetCallsThatTheModelSays) {
  const ModelInfo model = ssd1b_model();
  GenerationRequest request = apple(model);
  request.steps = 20;
  EXPECT_EQ(work_of(request, model).unet_calls, 20);

  request.scheduler = "pndm";
  for (const auto& [steps, calls] : {std::pair(4, 13), {5, 14}, {6, 15}}) {
    request.steps = steps;
    EXPECT_EQ(work_of(request, model).unet_calls, calls);
  }
}

TEST(WorkOf, GuidanceDoublesTheRowsUnlessItIsEmbedded) {
  ModelInfo model = ssd1b_model();
  GenerationRequest request = apple(model);

  EXPECT_EQ(work_of(request, model).rows, 2);

  request.guidance_scale = 1.0;
  EXPECT_EQ(work_of(request, model).rows, 1);

  request.guidance_scale = 8.0;
  model.guidance_embedded = true;
  EXPECT_EQ(work_of(request, model).rows, 1);
  EXPECT_EQ(work_of(request, model).latent_pixels, 128 * 128);
}

}  // namespace
}  // namespace ssd1b
