#include "apps/made_pictures.h"

#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "inference/weights/safetensors_file.h"
#include "support/fake_engine.h"

namespace ssd1b {
namespace {

/// The fake engine with latents: as many as the picture has, all of them its seed.
class EngineWithLatents : public FakeEngine {
 public:
  EngineWithLatents() : FakeEngine(FakeEngineOptions()) {}
  std::vector<PictureEvent> step() override {
    std::vector<PictureEvent> events = FakeEngine::step();
    for (PictureEvent& event : events) {
      auto* finished = std::get_if<PictureFinished>(&event.what);
      if (finished == nullptr) continue;
      const Image& image = finished->result.image;
      const int factor = model().vae_scale_factor;
      const int count =
          model().latent_channels * (image.width_px / factor) * (image.height_px / factor);
      finished->result.latents.assign(static_cast<std::size_t>(count),
                                      static_cast<float>(finished->result.seed));
    }
    return events;
  }
};

class MadePictures : public testing::Test {
 protected:
  MadePictures() {
    std::filesystem::create_directories(folder_);
    options_.output = folder_ / "apple.png";
    options_.output_format = "png";
    options_.pipeline.model = "/models/some-model/";
    request_ = default_request(engine_.model());
    request_.prompt = "a red apple";
    request_.width_px = 64;
    request_.height_px = 128;
    request_.seed = 7;
  }
  ~MadePictures() override { std::filesystem::remove_all(folder_); }

  static std::string content_of(const std::filesystem::path& file) {
    std::ostringstream text;
    text << std::ifstream(file, std::ios::binary).rdbuf();
    return text.str();
  }
  std::string make() {
    testing::internal::CaptureStderr();
    make_pictures(engine_, request_, options_);
    return testing::internal::GetCapturedStderr();
  }

  const std::filesystem::path folder_ = std::filesystem::path(testing::TempDir()) /
                                        ("ssd1b-made-pictures-" + std::to_string(getpid()));
  EngineWithLatents engine_;
  GenerateOptions options_;
  GenerationRequest request_;
};

TEST_F(MadePictures, WritesOneFileUnderItsOwnName) {
  const std::string said = make();

  EXPECT_EQ(content_of(folder_ / "apple.png").substr(0, 4), "\x89PNG");
  EXPECT_THAT(said, testing::HasSubstr("apple.png (seed 7)\n"));
  EXPECT_THAT(said, testing::Not(testing::HasSubstr("\x1b"))) << "a bar without a terminal";
}

TEST_F(MadePictures, NumbersSeveralAndCountsSeedsUp) {
  options_.num_images = 3;
  options_.output = folder_ / "apple.jpg";
  options_.output_format = "jpeg";

  const std::string said = make();

  for (const int i : {1, 2, 3}) {
    const std::string name = "apple-" + std::to_string(i) + ".jpg";
    EXPECT_EQ(content_of(folder_ / name).substr(0, 2), "\xff\xd8");
    EXPECT_THAT(said, testing::HasSubstr(name + " (seed " + std::to_string(6 + i) + ")"));
  }
  EXPECT_NE(content_of(folder_ / "apple-1.jpg"), content_of(folder_ / "apple-2.jpg"));
  EXPECT_FALSE(std::filesystem::exists(folder_ / "apple.jpg"));
}

TEST_F(MadePictures, WritesTheLatentsOfAllPicturesAsOneTensor) {
  options_.num_images = 2;
  options_.latents = folder_ / "latents.safetensors";

  make();

  const SafetensorsFile file = SafetensorsFile::open(*options_.latents);
  const TensorInfo* latents = file.find("latents");
  ASSERT_NE(latents, nullptr);
  EXPECT_EQ(latents->dtype, Dtype::F32);
  EXPECT_EQ(latents->shape, (std::vector<std::int64_t>{2, 4, 16, 8}));
  std::vector<float> values(2 * 4 * 16 * 8);
  file.read(latents->offset, values.data(), latents->bytes);
  EXPECT_EQ(values.front(), 7.0F);
  EXPECT_EQ(values.back(), 8.0F);
}

TEST_F(MadePictures, PutsTheSettingsIntoTheFileWhereAsked) {
  const auto holds_prompt = [&] {
    return content_of(folder_ / "apple.png").find("a red apple") != std::string::npos;
  };
  make();
  EXPECT_FALSE(holds_prompt());

  options_.embed_metadata = true;
  make();

  EXPECT_TRUE(holds_prompt());
  EXPECT_THAT(content_of(folder_ / "apple.png"), testing::HasSubstr("some-model"));
}

TEST_F(MadePictures, RefusesSeedsThatPassTheLast) {
  options_.num_images = 2;
  request_.seed = 18446744073709551615U;
  EXPECT_THROW(make(), Error);
  testing::internal::GetCapturedStderr();

  options_.num_images = 1;
  EXPECT_THAT(make(), testing::HasSubstr("seed 18446744073709551615"));
}

}  // namespace
}  // namespace ssd1b
