// Which UNet calls are recorded, replayed and made plainly, with a graph that is none: replaying it
// does the recorded work again. Real graphs: tests/device_graph and tests/gpu/run.
#include "inference/pipeline/unet_graphs.h"

#include <ATen/ATen.h>
#include <c10/util/Exception.h>
#include <gtest/gtest.h>

#include <limits>
#include <stdexcept>

namespace ssd1b {
namespace {

/// What graphs and UNet of a test have done, and what is to go wrong.
struct World {
  int recordings = 0, replays = 0, calls = 0;
  std::function<void()> at_recording, at_replay;
  double added = 0.0;  // to every result
};

class FakeGraph : public DeviceGraph {
 public:
  explicit FakeGraph(World& world) : world_(world) {}

  void record(const std::function<void()>& work) override {
    ++world_.recordings;
    if (world_.at_recording) world_.at_recording();
    work_ = work;
    work_();
  }
  void replay() override {
    ++world_.replays;
    if (world_.at_replay) world_.at_replay();
    work_();
  }

 private:
  World& world_;
  std::function<void()> work_;
};

PromptKeysValues prompt(std::int64_t rows, double value) {
  return {{at::full({rows, 3, 2}, value), at::full({rows, 3, 2}, 10.0 * value)}};
}

class UNetGraphsTest : public testing::Test {
 protected:
  /// Depends on everything that a call reads.
  at::Tensor plain(const UNetInput& input) {
    ++world_.calls;
    const at::Tensor sum = input.prompt[0].keys.sum() + input.prompt[0].values.sum();
    return input.latents * input.times.view({-1, 1, 1, 1}) + sum + world_.added;
  }

  /// `pixels`: what latent pixels graphs may have together, where a row costs nothing else.
  UNetGraphs graphs(std::int64_t pixels = 1 << 20, std::int64_t row_bytes = 0) {
    const GraphRoom room{pixels, {/*pixel_bytes=*/1, row_bytes}};
    return {[this](const UNetInput& input) { return plain(input); },
            [this] { return std::make_unique<FakeGraph>(world_); }, room};
  }

  /// One call with values of its own; whether it gave what the plain call gives.
  bool call_is_right(UNetGraphs& unet, std::int64_t rows = 2, std::int64_t side = 4) {
    const double value = ++value_;
    const at::Tensor latents = at::full({rows, 4, side, side}, value);
    const at::Tensor times = (at::arange(rows, at::kFloat) + value).unsqueeze(1);
    const PromptKeysValues read = prompt(rows, value);
    const at::Tensor output = unet({latents, times, read});
    return at::equal(output, plain({latents, times, read}));
  }

  void call(UNetGraphs& unet, int times, std::int64_t rows = 2, std::int64_t side = 4) {
    for (int i = 0; i < times; ++i) ASSERT_TRUE(call_is_right(unet, rows, side)) << "call " << i;
  }

  World world_;
  double value_ = 0.0;
};

TEST_F(UNetGraphsTest, RecordsASizeAtItsSecondCallAndReplaysItFromThenOn) {
  UNetGraphs unet = graphs();

  call(unet, 1);
  EXPECT_EQ(world_.recordings, 0);
  call(unet, 1);
  EXPECT_EQ(world_.recordings, 1);
  EXPECT_EQ(world_.replays, 1);  // the proof
  call(unet, 5);

  EXPECT_EQ(world_.recordings, 1);
  EXPECT_EQ(world_.replays, 6);
}

TEST_F(UNetGraphsTest, EverySizeHasAGraphOfItsOwn) {
  UNetGraphs unet = graphs();

  for (int i = 0; i < 4; ++i) {
    call(unet, 1, /*rows=*/2, /*side=*/4);
    call(unet, 1, /*rows=*/1, /*side=*/4);
    call(unet, 1, /*rows=*/2, /*side=*/8);
  }

  EXPECT_EQ(world_.recordings, 3);
}

TEST_F(UNetGraphsTest, SoHasEveryNumberOfPrompts) {
  UNetGraphs unet = graphs();
  const at::Tensor latents = at::ones({2, 4, 4, 4}), times = at::ones({2, 1});
  for (int i = 0; i < 4; ++i) {
    for (const std::int64_t prompts : {1, 2}) {
      const PromptKeysValues read = prompt(prompts, 3.0);
      EXPECT_TRUE(at::equal(unet({latents, times, read}), plain({latents, times, read})));
    }
  }

  EXPECT_EQ(world_.recordings, 2);
}

TEST_F(UNetGraphsTest, OnePromptServesManyReplays) {
  UNetGraphs unet = graphs();
  call(unet, 3);
  const at::Tensor latents = at::ones({2, 4, 4, 4}), times = at::ones({2, 1});
  const PromptKeysValues one = prompt(2, 0.5), other = prompt(2, 0.25);

  const at::Tensor first = unet({latents, times, one});
  const at::Tensor second = unet({latents * 2.0, times, one});
  const at::Tensor third = unet({latents, times, other});

  // The first results are still there: each replay's is the caller's own.
  EXPECT_TRUE(at::equal(first, plain({latents, times, one})));
  EXPECT_TRUE(at::equal(second, plain({latents * 2.0, times, one})));
  EXPECT_TRUE(at::equal(third, plain({latents, times, other})));
}

TEST_F(UNetGraphsTest, WithoutGraphsAllCallsArePlain) {
  UNetGraphs unet([this](const UNetInput& input) { return plain(input); }, {}, {1 << 20, {}});

  call(unet, 4);

  EXPECT_EQ(world_.recordings, 0);
}

TEST_F(UNetGraphsTest, AGraphThatDiffersIsNotUsedNorAnyOther) {
  UNetGraphs unet = graphs();
  world_.at_replay = [this] { world_.added = 1e-3; };
  const at::Tensor latents = at::ones({2, 4, 4, 4}), times = at::ones({2, 1});
  const PromptKeysValues read = prompt(2, 1.0);
  const at::Tensor wanted = plain({latents, times, read});

  unet({latents, times, read});
  const at::Tensor output = unet({latents, times, read});
  world_.added = 0.0;
  call(unet, 3);
  call(unet, 3, /*rows=*/1);

  EXPECT_TRUE(at::equal(output, wanted));
  EXPECT_EQ(world_.recordings, 1);
  EXPECT_EQ(world_.replays, 1);
}

TEST_F(UNetGraphsTest, ANanEqualsItself) {
  UNetGraphs unet = graphs();
  world_.added = std::numeric_limits<double>::quiet_NaN();

  call_is_right(unet);
  call_is_right(unet);
  call_is_right(unet);

  EXPECT_EQ(world_.replays, 2);
}

TEST_F(UNetGraphsTest, ARecordingThatFailsCostsNothingButTheGraphs) {
  for (const auto& fault : std::vector<std::function<void()>>{
           [] { TORCH_CHECK(false, "operation not permitted when stream is capturing"); },
           [] { throw std::runtime_error("something else"); }}) {
    world_ = World();
    world_.at_recording = fault;
    UNetGraphs unet = graphs();

    call(unet, 5);
    call(unet, 5, /*rows=*/1);

    EXPECT_EQ(world_.recordings, 1);
    EXPECT_EQ(world_.replays, 0);
  }
}

TEST_F(UNetGraphsTest, WantOfMemoryHalvesTheRoomOfGraphs) {
  const std::function<void()> wants[] = {
      [] { TORCH_CHECK_WITH(OutOfMemoryError, false, "CUDA out of memory"); },
      [] { TORCH_CHECK(false, "CUDA error: CUBLAS_STATUS_ALLOC_FAILED"); }};
  for (const std::function<void()>& want : wants) {
    world_.recordings = 0;
    UNetGraphs unet = graphs(/*pixels=*/6 * 16);
    call(unet, 3, /*rows=*/1);
    EXPECT_EQ(world_.recordings, 1);
    world_.at_recording = want;
    call(unet, 2, /*rows=*/4);
    EXPECT_EQ(world_.recordings, 2);
    world_.at_recording = nullptr;

    call(unet, 3, /*rows=*/4);  // does not fit any more
    EXPECT_EQ(world_.recordings, 2);
    call(unet, 3, /*rows=*/1);
    EXPECT_EQ(world_.recordings, 3);
  }
}

TEST_F(UNetGraphsTest, AReplayThatFailsBecomesAPlainCall) {
  UNetGraphs unet = graphs();
  call(unet, 3);
  world_.at_replay = [] { TORCH_CHECK(false, "CUDA error: graph exec update failure"); };

  call(unet, 3);

  EXPECT_EQ(world_.replays, 3);  // the proof, one that went well, the one that did not
  EXPECT_EQ(world_.recordings, 1);
}

TEST_F(UNetGraphsTest, WhatDoesNotFitStaysPlain) {
  UNetGraphs unet = graphs(/*pixels=*/2 * 16 + 16);

  call(unet, 4, /*rows=*/4);
  EXPECT_EQ(world_.recordings, 0);
  call(unet, 4, /*rows=*/2);
  call(unet, 4, /*rows=*/1);
  EXPECT_EQ(world_.recordings, 2);
  call(unet, 4, /*rows=*/3);  // fits alone, not beside the others, which are in use

  EXPECT_EQ(world_.recordings, 2);
}

TEST_F(UNetGraphsTest, TheCopyOfAPromptTakesRoomToo) {
  UNetGraphs unet = graphs(/*pixels=*/2 * 1 + 4 * 100, /*row_bytes=*/100);

  call(unet, 4, /*rows=*/2, /*side=*/1);
  EXPECT_EQ(world_.recordings, 1);
  call(unet, 4, /*rows=*/3, /*side=*/1);  // its pixels would fit

  EXPECT_EQ(world_.recordings, 1);
}

TEST_F(UNetGraphsTest, IdleGraphsMakeRoom) {
  UNetGraphs unet = graphs(/*pixels=*/2 * 16);
  call(unet, 3, /*rows=*/2);
  call(unet, 3, /*rows=*/1);
  ASSERT_EQ(world_.recordings, 1);

  call(unet, static_cast<int>(UNetGraphs::kIdleCalls), /*rows=*/1);

  EXPECT_EQ(world_.recordings, 2);
  call(unet, 1, /*rows=*/2);  // known, but without its graph
  EXPECT_EQ(world_.recordings, 2);
}

TEST_F(UNetGraphsTest, NewSizesWaitForAPlace) {
  UNetGraphs unet = graphs();
  const auto sizes = static_cast<std::int64_t>(UNetGraphs::kSizes);
  for (std::int64_t rows = 1; rows <= sizes; ++rows) call(unet, 2, rows, /*side=*/1);
  ASSERT_EQ(world_.recordings, sizes);

  call(unet, 3, /*rows=*/sizes + 1, /*side=*/1);
  EXPECT_EQ(world_.recordings, sizes);
  call(unet, static_cast<int>(UNetGraphs::kIdleCalls), /*rows=*/sizes + 1, /*side=*/1);

  EXPECT_EQ(world_.recordings, sizes + 1);
}

TEST_F(UNetGraphsTest, DroppedGraphsAreRecordedAnew) {
  UNetGraphs unet = graphs();
  call(unet, 3);

  unet.drop();
  call(unet, 3);

  EXPECT_EQ(world_.recordings, 2);
}

TEST_F(UNetGraphsTest, DroppedGraphsHaveHalfTheRoom) {
  UNetGraphs unet = graphs(/*room=*/2 * 16);
  call(unet, 3, /*rows=*/2);

  unet.drop();
  unet.drop();  // frees nothing: no less room
  call(unet, 3, /*rows=*/2);
  EXPECT_EQ(world_.recordings, 1);
  call(unet, 3, /*rows=*/1);

  EXPECT_EQ(world_.recordings, 2);
}

}  // namespace
}  // namespace ssd1b
