// What becomes of pictures when the device's memory runs out in a unit of work. The error comes out
// of a network's tick, on the CPU; pictures share calls here as they do on CUDA.
#include <ATen/Parallel.h>
#include <c10/core/CPUAllocator.h>
#include <c10/core/InferenceMode.h>
#include <c10/util/Exception.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>

#include "inference/pipeline/pipeline.h"

namespace ssd1b {
namespace {

/// The model that comes with the project; units of it fail as often as is wanted.
class FailingEngine {
 public:
  FailingEngine() {
    ModelOptions options;
    options.model = std::filesystem::path(SSD1B_SOURCE_DIR) / "models/icons";
    options.shipped_models = std::filesystem::path(SSD1B_SOURCE_DIR) / "models";
    options.tick = [this] {
      if (failures > 0) {
        --failures;
        fail();
      }
    };
    at::set_num_threads(1);
    const c10::InferenceMode no_gradients;
    pipeline = std::make_unique<Pipeline>(options, c10::kCPU, /*shares_calls=*/true);
  }

  int failures = 0;
  std::function<void()> fail;
  std::unique_ptr<Pipeline> pipeline;
};

/// The CPU's allocator while one of these lives; the allocation after `left` more finds no memory.
class FailingAllocator : public c10::Allocator {
 public:
  FailingAllocator() { c10::SetCPUAllocator(this, /*priority=*/1); }
  ~FailingAllocator() override {
    c10::SetCPUAllocator(c10::GetDefaultCPUAllocator(), /*priority=*/1);
  }

  c10::DataPtr allocate(std::size_t bytes) override {
    TORCH_CHECK_WITH(OutOfMemoryError, left-- != 0, "DefaultCPUAllocator: not enough memory");
    return c10::GetDefaultCPUAllocator()->allocate(bytes);
  }
  c10::DeleterFnPtr raw_deleter() const override {
    return c10::GetDefaultCPUAllocator()->raw_deleter();
  }
  void copy_data(void* to, const void* from, std::size_t bytes) const override {
    default_copy_data(to, from, bytes);
  }

  int left = -1;  // below 0: none fails
};

struct Wanted {
  int width_px = 64;
  int steps = 3;
  std::string prompt = "a red apple";
};

class WantOfMemoryTest : public testing::Test {
 protected:
  WantOfMemoryTest() {
    engine().failures = 0;
    engine().fail = [] { TORCH_CHECK_WITH(OutOfMemoryError, false, "CUDA out of memory"); };
  }

  /// Loaded once: tests leave it without pictures.
  static FailingEngine& engine() {
    static FailingEngine opened;
    return opened;
  }

  /// Has its prompt when this returns.
  void admit(PictureId id, const Wanted& wanted = {}) {
    GenerationRequest request = default_request(engine().pipeline->model());
    request.prompt = wanted.prompt;
    request.negative_prompt = "blue";
    request.seed = id;
    request.steps = wanted.steps;
    request.width_px = wanted.width_px;
    request.height_px = 64;
    engine().pipeline->admit(id, request);
    ASSERT_TRUE(step().empty());
  }

  std::vector<PictureEvent> step() { return engine().pipeline->step(); }

  /// Until every picture has ended; one that fails is a failure of the test.
  std::map<PictureId, GeneratedImage> finish_all() {
    std::map<PictureId, GeneratedImage> images;
    for (int idle = 0; idle < 3;) {
      const std::vector<PictureEvent> events = step();
      idle = events.empty() ? idle + 1 : 0;
      for (const PictureEvent& event : events) {
        EXPECT_FALSE(std::holds_alternative<PictureFailed>(event.what));
        const auto* done = std::get_if<PictureFinished>(&event.what);
        if (done != nullptr) images[event.id] = done->result;
      }
    }
    return images;
  }
};

TEST_F(WantOfMemoryTest, ASharedCallIsTriedOnceMoreWithTheSameBytes) {
  for (const PictureId id : {1, 2}) admit(id);
  const auto wanted = finish_all();
  for (const PictureId id : {1, 2}) admit(id);
  step();

  engine().failures = 1;
  EXPECT_EQ(step().size(), 2u);
  const auto got = finish_all();

  ASSERT_EQ(got.size(), 2u);
  EXPECT_EQ(got.at(1).image.rgb, wanted.at(1).image.rgb);
  EXPECT_EQ(got.at(2).image.rgb, wanted.at(2).image.rgb);
}

TEST_F(WantOfMemoryTest, ASharedCallThatFindsNoneIsMadeByFewerUntilAllHaveEnded) {
  for (const PictureId id : {1, 2, 3, 4}) admit(id);

  engine().failures = 2;
  EXPECT_TRUE(step().empty());
  EXPECT_EQ(step().size(), 2u);
  engine().failures = 2;
  EXPECT_TRUE(step().empty());
  EXPECT_EQ(step().size(), 1u);
  EXPECT_EQ(finish_all().size(), 4u);

  for (const PictureId id : {5, 6}) admit(id);
  EXPECT_EQ(step().size(), 2u) << "an engine that was idle has its memory again";
  finish_all();
}

TEST_F(WantOfMemoryTest, APictureThatIsAloneInItsCallFails) {
  for (const PictureId id : {1, 2}) admit(id, {/*width_px=*/id == 1 ? 64 : 128});

  engine().failures = 2;
  const std::vector<PictureEvent> events = step();

  ASSERT_EQ(events.size(), 1u);
  const auto* failed = std::get_if<PictureFailed>(&events.front().what);
  ASSERT_NE(failed, nullptr);
  EXPECT_EQ(failed->code, ErrorCode::OutOfMemory);
  EXPECT_EQ(finish_all().size(), 1u);
}

TEST_F(WantOfMemoryTest, ADecodeAndAnEncodingAreTriedOnceMore) {
  admit(1);
  const auto wanted = finish_all();
  engine().failures = 1;
  admit(1, {/*width_px=*/64, /*steps=*/1, "a blue car"});
  EXPECT_EQ(engine().failures, 0);
  finish_all();
  admit(1);
  for (int call = 0; call < 3; ++call) step();

  engine().failures = 1;
  const auto got = finish_all();

  EXPECT_EQ(engine().failures, 0);
  ASSERT_EQ(got.size(), 1u);
  EXPECT_EQ(got.at(1).image.rgb, wanted.at(1).image.rgb);
}

TEST_F(WantOfMemoryTest, APictureThatCannotBeginIsTriedOnceMoreWithTheSameNoise) {
  constexpr int kSome = 1 << 20;
  const Wanted wanted{/*width_px=*/64, /*steps=*/1};
  FailingAllocator allocator;
  allocator.left = kSome;
  admit(1, wanted);
  const int all = kSome - allocator.left;
  const auto picture = finish_all();

  // Those after the text encoders: noise, latents, times.
  for (int before = all - 12; before < all; ++before) {
    allocator.left = before;
    admit(1, wanted);
    EXPECT_LT(allocator.left, 0) << before;
    allocator.left = -1;
    EXPECT_EQ(finish_all().at(1).image.rgb, picture.at(1).image.rgb) << before;
  }
}

TEST_F(WantOfMemoryTest, AnotherFaultIsNotTriedAgain) {
  admit(1);
  engine().fail = [] { throw std::runtime_error("something else"); };

  engine().failures = 2;
  const std::vector<PictureEvent> events = step();

  EXPECT_EQ(engine().failures, 1);
  ASSERT_EQ(events.size(), 1u);
  EXPECT_EQ(std::get<PictureFailed>(events.front().what).code, ErrorCode::InternalError);
}

TEST_F(WantOfMemoryTest, ASizeOfManyPicturesHasOneTurn) {
  const PictureId other = 8;
  admit(other, {/*width_px=*/128, /*steps=*/50});
  for (PictureId id = 1; id < other; ++id) admit(id, {/*width_px=*/64, /*steps=*/50});
  int passed_over = 0;

  for (int unit = 0; unit < 30; ++unit) {
    const std::vector<PictureEvent> events = step();
    passed_over = events.front().id == other ? 0 : passed_over + 1;
    EXPECT_LE(passed_over, 2 * TurnOrder::kMaxRounds) << "unit " << unit;
  }

  for (PictureId id = 1; id <= other; ++id) engine().pipeline->cancel(id);
}

}  // namespace
}  // namespace ssd1b
