// Pictures that share UNet calls, as they do on CUDA; here on the CPU.
#include <ATen/Parallel.h>
#include <c10/core/InferenceMode.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <map>

#include "inference/pipeline/pipeline.h"

namespace ssd1b {
namespace {

constexpr int kSteps = 3;

Pipeline& pipeline() {
  static const std::unique_ptr<Pipeline> opened = [] {
    ModelOptions options;
    options.model = std::filesystem::path(SSD1B_SOURCE_DIR) / "models/icons";
    options.shipped_models = std::filesystem::path(SSD1B_SOURCE_DIR) / "models";
    at::set_num_threads(1);
    const c10::InferenceMode no_gradients;
    return std::make_unique<Pipeline>(options, c10::kCPU, /*shares_calls=*/true);
  }();
  return *opened;
}

GenerationRequest apple(PictureId seed) {
  GenerationRequest request = default_request(pipeline().model());
  request.prompt = "a red apple";
  request.seed = seed;
  request.steps = kSteps;
  request.width_px = request.height_px = 64;
  return request;
}

/// With zeros for a negative prompt, with a negative prompt, without guidance: two rows, of which
/// one has a prompt; two with prompts; one.
std::map<PictureId, GenerationRequest> requests_of_all_kinds() {
  std::map<PictureId, GenerationRequest> requests;
  for (const PictureId id : {1, 2, 3, 4}) requests.emplace(id, apple(id));
  requests.at(2).negative_prompt = "blue";
  requests.at(3).guidance_scale = 1.0;
  return requests;
}

struct Made {
  std::map<PictureId, Image> images;
  int units = 0;
};

Made make(const std::map<PictureId, GenerationRequest>& requests) {
  for (const auto& [id, request] : requests) pipeline().admit(id, request);
  Made made;
  while (made.images.size() < requests.size()) {
    ++made.units;
    for (const PictureEvent& event : pipeline().step()) {
      if (std::holds_alternative<PictureFailed>(event.what)) return made;
      const auto* finished = std::get_if<PictureFinished>(&event.what);
      if (finished != nullptr) made.images[event.id] = finished->result.image;
    }
  }
  return made;
}

int largest_difference(const Image& a, const Image& b) {
  int largest = a.rgb.size() == b.rgb.size() ? 0 : 255;
  for (std::size_t i = 0; i < std::min(a.rgb.size(), b.rgb.size()); ++i) {
    largest = std::max(largest, std::abs(a.rgb[i] - b.rgb[i]));
  }
  return largest;
}

TEST(SharedCalls, PicturesOfAllKindsAreWhatTheyAreAlone) {
  const std::map<PictureId, GenerationRequest> requests = requests_of_all_kinds();

  const Made together = make(requests);

  ASSERT_EQ(together.images.size(), requests.size());
  const int encodings = static_cast<int>(requests.size()), decodings = encodings;
  EXPECT_EQ(together.units, encodings + kSteps + decodings);
  for (const auto& [id, request] : requests) {
    const Made alone = make({{id, request}});
    ASSERT_EQ(alone.images.count(id), 1u);
    EXPECT_LE(largest_difference(together.images.at(id), alone.images.at(id)), 1) << id;
  }
}

}  // namespace
}  // namespace ssd1b
