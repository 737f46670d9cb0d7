// What is encoded anew and what is known. That encodings are right is shown by tests/parity.
#include "inference/pipeline/prompt_encoder.h"

#include <ATen/Parallel.h>
#include <c10/core/InferenceMode.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>

namespace ssd1b {
namespace {

ModelOptions icons() {
  ModelOptions options;
  options.model = std::filesystem::path(SSD1B_SOURCE_DIR) / "models/icons";
  options.shipped_models = std::filesystem::path(SSD1B_SOURCE_DIR) / "models";
  return options;
}

class PromptEncoderTest : public testing::Test {
 protected:
  PromptEncoderTest() { at::set_num_threads(1); }

  GenerationRequest request(const std::string& prompt, double guidance_scale = 4.0) const {
    GenerationRequest made = default_request(model_.info);
    made.prompt = prompt;
    made.guidance_scale = guidance_scale;
    return made;
  }

  const c10::InferenceMode no_gradients_;
  Model model_{icons(), c10::kCPU};
  PromptEncoder prompts_{model_};
};

TEST_F(PromptEncoderTest, APromptInConstantUseStaysKnown) {
  const auto apple = prompts_.encode(request("a red apple"));

  for (int other = 0; other < 2 * model_.info.max_pictures; ++other) {
    prompts_.encode(request("picture " + std::to_string(other)));
    EXPECT_EQ(prompts_.encode(request("a red apple")), apple) << "after " << other;
  }
}

TEST_F(PromptEncoderTest, ForgetsWhatWasNotUsedForLongest) {
  const auto apple = prompts_.encode(request("a red apple"));

  for (int other = 0; other < model_.info.max_pictures; ++other) {
    prompts_.encode(request("picture " + std::to_string(other)));
  }

  EXPECT_NE(prompts_.encode(request("a red apple")), apple);
}

TEST_F(PromptEncoderTest, OnlyWhetherAPictureIsGuidedMatters) {
  const auto guided = prompts_.encode(request("a red apple", 4.0));

  EXPECT_EQ(prompts_.encode(request("a red apple", 7.0)), guided);
  EXPECT_NE(prompts_.encode(request("a red apple", 1.0)), guided);
}

}  // namespace
}  // namespace ssd1b
