#include "ssd1b/engine.h"

#include <gtest/gtest.h>

namespace ssd1b {
namespace {

/// Plays back a list of events, one list a step.
class ScriptedEngine : public Engine {
 public:
  explicit ScriptedEngine(std::vector<std::vector<PictureEvent>> script)
      : script_(std::move(script)) {}

  const ModelInfo& model() const override { return model_; }
  bool has_room_for(const GenerationRequest&) const override { return true; }
  void admit(PictureId, const GenerationRequest&) override {}
  void cancel(PictureId) override {}
  void finish(PictureId) override {}
  std::vector<PictureEvent> step() override { return script_.at(next_++); }

 private:
  ModelInfo model_;
  std::vector<std::vector<PictureEvent>> script_;
  std::size_t next_ = 0;
};

TEST(Generate, ReturnsThePictureAndReportsEveryStep) {
  GeneratedImage made;
  made.seed = 7;
  ScriptedEngine engine({{},
                         {{1, PictureProgress{1, 2}}},
                         {{1, PictureProgress{2, 2}}},
                         {{1, PictureFinished{made}}}});
  std::vector<int> steps;

  const GeneratedImage image = generate(
      engine, {}, [&](const PictureProgress& progress) { steps.push_back(progress.step); });

  EXPECT_EQ(image.seed, 7u);
  EXPECT_EQ(steps, (std::vector<int>{1, 2}));
}

TEST(Generate, ThrowsThePicturesFault) {
  ScriptedEngine engine({{{1, PictureFailed{ErrorCode::NonFiniteOutput, "latents hold NaN"}}}});

  try {
    generate(engine, {}, nullptr);
    FAIL() << "no fault was thrown";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::NonFiniteOutput);
    EXPECT_STREQ(error.what(), "latents hold NaN");
  }
}

}  // namespace
}  // namespace ssd1b
