#include "inference/pipeline/prompt_encoder.h"

#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>
#include <gtest/gtest.h>

#include <algorithm>

namespace ssd1b {
namespace {

class PromptEncoderTest : public testing::Test {
 protected:
  static const Model& model() {
    static const Model loaded(icons(), at::kCPU);
    return loaded;
  }

  std::shared_ptr<const PromptEncoding> encode(const std::string& prompt) {
    const c10::InferenceMode no_gradients;
    GenerationRequest request = default_request(model().info);
    request.prompt = prompt;
    request.negative_prompt = "blurry";
    return encoder_.encode(request);
  }

 private:
  static ModelOptions icons() {
    ModelOptions options;
    options.shipped_models = std::filesystem::path(SSD1B_SOURCE_DIR) / "models";
    options.model = options.shipped_models / "icons";
    return options;
  }

  PromptEncoder encoder_{model()};
};

TEST_F(PromptEncoderTest, HoldsWhatTheMemoryPlanCounts) {
  std::int64_t bytes = 0;
  const UNetConditioning conditioning = encode("a red apple")->conditioning;
  for (const KeysValues& each : conditioning.prompt) {
    bytes += static_cast<std::int64_t>(each.keys.nbytes() + each.values.nbytes());
  }

  ASSERT_EQ(conditioning.rows(), 2);
  EXPECT_EQ(bytes,
            2 * unet_call_cost(model().unet_config, /*element=*/4, model().tokenizer.max_length())
                    .row_bytes);
}

TEST_F(PromptEncoderTest, HoldsNoMoreThanThePicturesThatCanBeInTheMaking) {
  const auto most = static_cast<std::size_t>(model().info.max_pictures);
  std::vector<std::weak_ptr<const PromptEncoding>> all;
  const auto count = [&] {
    return static_cast<std::size_t>(
        std::count_if(all.begin(), all.end(), [](const auto& each) { return !each.expired(); }));
  };
  const std::shared_ptr<const PromptEncoding> of_a_long_picture = encode("a red apple");
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
