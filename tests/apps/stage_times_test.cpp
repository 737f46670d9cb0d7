#include "apps/stage_times.h"

#include <gmock/gmock.h>

#include <chrono>
#include <nlohmann/json.hpp>
#include <thread>

namespace ssd1b {
namespace {

/// Encodes, calls the UNet as often as it has steps, decodes - or fails instead.
class UnitEngine : public Engine {
 public:
  explicit UnitEngine(bool fails) : fails_(fails) {}
  const ModelInfo& model() const override { return model_; }
  bool has_room_for(const GenerationRequest&) const override { return true; }
  void admit(PictureId id, const GenerationRequest& request) override {
    id_ = id;
    steps_ = request.steps;
    unit_ = 0;
  }
  void cancel(PictureId) override {}
  void finish(PictureId) override {}
  std::vector<PictureEvent> step() override {
    const int unit = unit_++;
    if (unit == 0) return {};
    if (unit <= steps_) return {{id_, PictureProgress{unit, steps_}}};
    if (fails_) return {{id_, PictureFailed{ErrorCode::NonFiniteOutput, "not finite"}}};
    PictureFinished finished;
    finished.result.seed = 9;
    return {{id_, finished}};
  }

 private:
  ModelInfo model_;
  bool fails_;
  PictureId id_ = 0;
  int steps_ = 0;
  int unit_ = 0;
};

TEST(StageTimes, SumsUpMedianEdgesAndCores) {
  StageTimes times;
  for (const double wall_ms : {30.0, 10.0, 20.0, 100.0}) times.add("vae", {wall_ms, 2.0 * wall_ms});
  times.add("encode", {5.0, 0.0});

  const auto json = nlohmann::ordered_json::parse(times.json());

  EXPECT_EQ(json.begin().key(), "vae");
  EXPECT_EQ(json["vae"]["runs"], 4);
  EXPECT_EQ(json["vae"]["median_ms"], 25.0);
  EXPECT_EQ(json["vae"]["min_ms"], 10.0);
  EXPECT_EQ(json["vae"]["max_ms"], 100.0);
  EXPECT_EQ(json["vae"]["cpu_per_wall"], 2.0);
  EXPECT_EQ(json["vae"]["walls_ms"], nlohmann::ordered_json({30.0, 10.0, 20.0, 100.0}));
  EXPECT_EQ(json["vae"]["cpus_ms"], nlohmann::ordered_json({60.0, 20.0, 40.0, 200.0}));
  EXPECT_EQ(json["encode"]["median_ms"], 5.0);
  EXPECT_THAT(times.table(), testing::HasSubstr("vae"));
}

TEST(StageTimes, TellsTheUnitsOfAPictureApart) {
  UnitEngine engine(/*fails=*/false);
  GenerationRequest request;
  request.steps = 3;
  StageTimes times;

  EXPECT_EQ(time_picture(engine, request, times).seed, 9u);

  const auto json = nlohmann::json::parse(times.json());
  EXPECT_EQ(json["text_encoder"]["runs"], 1);
  EXPECT_EQ(json["unet_call"]["runs"], 3);
  EXPECT_EQ(json["vae"]["runs"], 1);
}

TEST(StageTimes, PassesThePicturesFaultOn) {
  UnitEngine engine(/*fails=*/true);
  StageTimes times;

  EXPECT_THROW(time_picture(engine, GenerationRequest(), times), Error);
}

TEST(StageTimes, TakesTheWallsTimeAndTheProcessors) {
  const StageTime slept =
      time_of([] { std::this_thread::sleep_for(std::chrono::milliseconds(30)); });

  EXPECT_GE(slept.wall_ms, 30.0);
  EXPECT_LT(slept.cpu_ms, 20.0);
}

}  // namespace
}  // namespace ssd1b
