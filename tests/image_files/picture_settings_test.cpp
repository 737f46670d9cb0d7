#include "service/image_files/picture_settings.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace ssd1b {
namespace {

TEST(PictureSettings, AreJsonWithEveryFieldThatMakesThePicture) {
  GenerationRequest request;
  request.prompt = "a \"red\" apple";
  request.seed = 18446744073709551615U;
  request.guidance_scale = 7.5;
  request.crop_left_px = 12;
  request.clip_skip = 1;

  const auto json = nlohmann::json::parse(picture_settings(request, "icons"));

  EXPECT_EQ(json["prompt"], request.prompt);
  EXPECT_TRUE(json["negative_prompt"].is_null());
  EXPECT_EQ(json["seed"], request.seed);
  EXPECT_EQ(json["guidance_scale"], 7.5);
  EXPECT_EQ(json["crop_left"], 12);
  EXPECT_EQ(json["clip_skip"], 1);
  EXPECT_EQ(json["model"], "icons");
}

}  // namespace
}  // namespace ssd1b
