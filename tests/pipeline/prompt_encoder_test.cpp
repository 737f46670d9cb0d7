// What is encoded anew and what is known. That encodings are right is shown by tests/parity.
#include "inference/pipeline/prompt_encoder.h"

#include <ATen/Parallel.h>
#include <c10/core/InferenceMode.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <string>

namespace ssd1b {
namespace {

using Encoding = std::shared_ptr<const PromptEncoding>;

ModelOptions icons() {
  ModelOptions options;
  options.model = std::filesystem::path(SSD1B_SOURCE_DIR) / "models/icons";
  options.shipped_models = std::filesystem::path(SSD1B_SOURCE_DIR) / "models";
  return options;
}

class PromptEncoderTest : public testing::Test {
 protected:
  PromptEncoderTest() { at::set_num_threads(1); }

  Encoding encode(const std::string& prompt, double guidance_scale = 4.0) {
    GenerationRequest request = default_request(model_.info);
    request.prompt = prompt;
    request.negative_prompt = "blurry";
    request.guidance_scale = guidance_scale;
    return prompts_.encode(request);
  }

  const c10::InferenceMode no_gradients_;
  Model model_{icons(), c10::kCPU};
  PromptEncoder prompts_{model_};
};

TEST_F(PromptEncoderTest, APromptInConstantUseStaysKnown) {
  const std::weak_ptr<const PromptEncoding> apple = encode("a red apple");

  for (int other = 0; other < 2 * model_.info.max_pictures; ++other) {
    encode("picture " + std::to_string(other));
    encode("a red apple");
    EXPECT_FALSE(apple.expired()) << "after " << other;
  }
}

TEST_F(PromptEncoderTest, ForgetsWhatWasNotUsedForLongest) {
  const std::weak_ptr<const PromptEncoding> apple = encode("a red apple");

  for (int other = 0; other < model_.info.max_pictures; ++other) {
    encode("picture " + std::to_string(other));
  }

  EXPECT_TRUE(apple.expired());
}

TEST_F(PromptEncoderTest, OnlyWhetherAPictureIsGuidedMatters) {
  const Encoding guided = encode("a red apple", 4.0);

  EXPECT_EQ(encode("a red apple", 7.0), guided);
  EXPECT_NE(encode("a red apple", 1.0), guided);
}

TEST_F(PromptEncoderTest, HoldsWhatTheMemoryPlanCounts) {
  const UNetConditioning conditioning = encode("a red apple")->conditioning;

  std::int64_t bytes = 0;
  for (const KeysValues& each : conditioning.prompt) {
    bytes += static_cast<std::int64_t>(each.keys.nbytes() + each.values.nbytes());
  }

  ASSERT_EQ(conditioning.rows(), 2);
  const std::int64_t tokens = model_.tokenizer.max_length();
  EXPECT_EQ(bytes, 2 * unet_call_cost(model_.unet_config, /*element=*/4, tokens).row_bytes);
}

TEST_F(PromptEncoderTest, HoldsNoMoreThanThePicturesThatCanBeInTheMaking) {
  const auto most = static_cast<std::size_t>(model_.info.max_pictures);
  std::vector<std::weak_ptr<const PromptEncoding>> all;
  const auto count = [&] {
    return static_cast<std::size_t>(
        std::count_if(all.begin(), all.end(), [](const auto& each) { return !each.expired(); }));
  };
  const Encoding of_a_long_picture = encode("a red apple");
  all.push_back(of_a_long_picture);

  for (std::size_t i = 0; i < 2 * most; ++i) {
    all.push_back(encode("a red apple and " + std::to_string(i)));
    EXPECT_LE(count(), most) << i;
  }

  EXPECT_EQ(count(), most);
  EXPECT_EQ(encode("a red apple"), of_a_long_picture);
}

}  // namespace
}  // namespace ssd1b
