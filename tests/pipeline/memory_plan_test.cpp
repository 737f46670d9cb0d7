#include "inference/pipeline/memory_plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "ssd1b/error.h"

namespace ssd1b {
namespace {

constexpr std::int64_t kMega = 1'000'000;

/// SSD-1B in float16 with a VAE in bfloat16, sizes as its files have them.
MemoryNeeds ssd1b(std::int64_t limit_bytes) {
  MemoryNeeds needs;
  needs.weights = {/*text_encoders=*/1635 * kMega, /*unet=*/2663 * kMega, /*vae=*/167 * kMega,
                   /*unet_element=*/2, /*vae_element=*/2};
  needs.unet.sample_size = 128;
  needs.unet.down_blocks.resize(1);
  needs.unet.down_blocks.front().channels = 320;
  needs.vae.block_channels = {128, 256, 512, 512};
  needs.limit_bytes = limit_bytes;
  return needs;
}

std::string refusal(const MemoryNeeds& needs) {
  try {
    MemoryPlan plan(needs);
  } catch (const Error& error) {
    return std::string(name_of(error.code())) + ": " + error.what();
  }
  return "none";
}

TEST(MemoryPlan, WithoutALimitNothingIsMovedOrCut) {
  const MemoryPlan plan;

  EXPECT_TRUE(plan.text_encoders_stay());
  EXPECT_FALSE(plan.tile(512, 512));
}

TEST(MemoryPlan, WithRoomEverythingStaysAndPicturesAreDecodedWhole) {
  const MemoryPlan plan(ssd1b(24'000 * kMega));

  EXPECT_TRUE(plan.text_encoders_stay());
  EXPECT_FALSE(plan.tile(128, 128));
  EXPECT_FALSE(plan.tile(192, 192));
}

TEST(MemoryPlan, FiveAndAHalfGibibytesDecodeSsd1bsOwnSizeWholeWithTheEncodersElsewhere) {
  const MemoryPlan plan(ssd1b(std::int64_t{11} << 29));

  EXPECT_FALSE(plan.text_encoders_stay());
  EXPECT_FALSE(plan.tile(128, 128));
  EXPECT_EQ(plan.tile(256, 256), 128);
}

TEST(MemoryPlan, LessMemoryMakesSmallerTiles) {
  std::int64_t last = 128;
  for (std::int64_t limit = 6000 * kMega; limit >= 5300 * kMega; limit -= 100 * kMega) {
    const std::int64_t side = MemoryPlan(ssd1b(limit)).tile(256, 256).value_or(256);
    EXPECT_LE(side, std::max<std::int64_t>(last, 128)) << limit;
    last = side;
  }
}

TEST(MemoryPlan, TooLittleIsRefusedWithWhatIsNeeded) {
  MemoryNeeds needs = ssd1b(3000 * kMega);

  EXPECT_THAT(refusal(needs), testing::HasSubstr("usage: --device-memory-limit must be at least"));
  needs.limit_is_given = false;
  EXPECT_THAT(refusal(needs), testing::HasSubstr("no_device: the device's free memory"));
}

TEST(MemoryPlan, TheLeastThatIsNamedIsEnough) {
  const std::string said = refusal(ssd1b(3000 * kMega));
  const std::int64_t mebibytes = std::stoll(said.substr(said.find("least ") + 6));

  EXPECT_EQ(refusal(ssd1b(mebibytes << 20)), "none");
  EXPECT_NE(refusal(ssd1b((mebibytes - 1) << 20)), "none");
}

TEST(MemoryPlan, GraphsHaveAnEighthOfTheRoomWhereNobodySetALimit) {
  MemoryNeeds needs = ssd1b(22'000 * kMega);
  needs.limit_is_given = false;
  const std::int64_t call = unet_call_bytes(needs.unet, 2, /*rows=*/2, 128, 128);

  const MemoryPlan plan(needs);

  EXPECT_EQ(plan.graph_pixels() / (2 * 128 * 128), 6);
  EXPECT_LE(plan.graph_pixels() / (2 * 128 * 128) * call, (22'000 - 4465) * kMega / 8);
  EXPECT_FALSE(plan.tile(256, 256));
}

TEST(MemoryPlan, ThereAreNoGraphsWhereMemoryIsCounted) {
  MemoryNeeds tight = ssd1b(5500 * kMega);  // the encoders do not stay
  tight.limit_is_given = false;
  MemoryNeeds host = ssd1b(22'000 * kMega);
  host.limit_is_given = false;
  host.device_is_host = true;

  EXPECT_EQ(MemoryPlan(ssd1b(22'000 * kMega)).graph_pixels(), 0);  // --device-memory-limit
  EXPECT_EQ(MemoryPlan(tight).graph_pixels(), 0);
  EXPECT_EQ(MemoryPlan(host).graph_pixels(), 0);
  EXPECT_EQ(MemoryPlan().graph_pixels(), 0);
}

TEST(MemoryPlan, OnTheHostNothingIsMoved) {
  MemoryNeeds needs = ssd1b(5500 * kMega);
  needs.device_is_host = true;

  const MemoryPlan plan(needs);

  EXPECT_TRUE(plan.text_encoders_stay());
  EXPECT_EQ(plan.tile(128, 128), 64);
}

TEST(MemoryPlan, CallsThatPicturesShareFitBesideTheWeights) {
  const MemoryNeeds needs = ssd1b(5500 * kMega);
  const MemoryPlan plan(needs);

  EXPECT_GE(plan.call_pixels(), 2 * 128 * 128);
  EXPECT_LE(unet_call_bytes(needs.unet, needs.weights.unet_element, 1, 1, plan.call_pixels()),
            (5500 - 2830) * kMega);
  EXPECT_GT(MemoryPlan().call_pixels(), 1 << 30);  // no limit
}

}  // namespace
}  // namespace ssd1b
