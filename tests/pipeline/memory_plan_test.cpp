#include "inference/pipeline/memory_plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "ssd1b/error.h"

namespace ssd1b {
namespace {

constexpr std::int64_t kMega = 1'000'000;
// 26 transformer blocks of width 1280 and 8 of 640, each with keys and values of 77 tokens.
constexpr std::int64_t kPromptBytes = 2 * 77 * (26 * 1280 + 8 * 640) * std::int64_t{2};

/// SSD-1B with the VAE's decoder in float16, sizes as its files have them.
MemoryNeeds ssd1b(std::int64_t limit_bytes) {
  MemoryNeeds needs;
  needs.weights = {/*text_encoder=*/246 * kMega,
                   /*text_encoder_2=*/1389 * kMega,
                   /*unet=*/2663 * kMega,
                   /*vae=*/99 * kMega,
                   /*second_vae=*/198 * kMega,
                   /*unet_element=*/2,
                   /*vae_element=*/2};
  needs.unet.sample_height = needs.unet.sample_width = 128;
  needs.unet.down_blocks = {
      {320, 5, false, {0, 0}}, {640, 10, true, {2, 2}}, {1280, 20, true, {4, 4}}};
  needs.unet.mid_block = {1280, 20, false, {0}};
  needs.unet.up_blocks = {
      {1280, 20, true, {4, 4, 10}}, {640, 10, true, {2, 1, 1}}, {320, 5, false, {0, 0, 0}}};
  needs.vae.block_channels = {128, 256, 512, 512};
  needs.pictures = 8;
  needs.limit_bytes = limit_bytes;
  return needs;
}

/// The same on a GPU without a limit.
MemoryNeeds gpu(std::int64_t limit_bytes, std::int64_t free_bytes) {
  MemoryNeeds needs = ssd1b(limit_bytes);
  needs.free_bytes = free_bytes;
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
  EXPECT_FALSE(plan.tile(512, 512, /*element=*/2));
}

TEST(MemoryPlan, WithRoomEverythingStaysAndPicturesAreDecodedWhole) {
  const MemoryPlan plan(ssd1b(24'000 * kMega));

  EXPECT_TRUE(plan.text_encoders_stay());
  EXPECT_FALSE(plan.tile(128, 128, /*element=*/2));
  EXPECT_FALSE(plan.tile(192, 192, /*element=*/2));
}

TEST(MemoryPlan, FiveAndAHalfGibibytesDecodeSsd1bsOwnSizeWholeWithTheEncodersElsewhere) {
  const MemoryPlan plan(ssd1b(std::int64_t{11} << 29));

  EXPECT_FALSE(plan.text_encoders_stay());
  EXPECT_FALSE(plan.tile(128, 128, /*element=*/2));
  EXPECT_EQ(plan.tile(256, 256, /*element=*/2), 128);
}

TEST(MemoryPlan, LessMemoryMakesSmallerTiles) {
  MemoryNeeds needs = ssd1b(7000 * kMega);
  needs.device_is_host = true;  // where the encoders' visits ask for nothing
  // Whose UNet calls take less than the smallest tile.
  needs.unet.sample_height = needs.unet.sample_width = 64;
  std::vector<std::int64_t> sides;

  for (; refusal(needs) == "none"; needs.limit_bytes -= 10 * kMega) {
    const std::int64_t side = MemoryPlan(needs).tile(256, 256, /*element=*/2).value_or(256);
    if (sides.empty() || sides.back() != side) sides.push_back(side);
  }

  EXPECT_THAT(sides, testing::ElementsAre(128, 96, 64, 48, 32));
}

TEST(MemoryPlan, WhatIsDecodedAgainInFloat32HasTilesOfItsOwn) {
  const MemoryPlan plan(ssd1b(std::int64_t{11} << 29));

  EXPECT_FALSE(plan.tile(128, 128, /*element=*/2));
  EXPECT_EQ(plan.tile(128, 128, /*element=*/4), 64);
}

TEST(MemoryPlan, ServesSsd1bWithin5500Megabytes) {
  MemoryNeeds needs = ssd1b(5500 * kMega);
  needs.weights.second_vae = 0;  // the first is in bfloat16

  const MemoryPlan plan(needs);

  EXPECT_FALSE(plan.text_encoders_stay());
  EXPECT_GE(plan.call_rows(128, 128), 4);
  EXPECT_EQ(plan.tile(128, 128, /*element=*/2), 96);
}

TEST(MemoryPlan, EncodersVisitTheDeviceOneByOne) {
  MemoryNeeds needs = ssd1b(5250 * kMega);  // both beside the UNet take 5,405 MB
  needs.weights.second_vae = 0;

  EXPECT_FALSE(MemoryPlan(needs).text_encoders_stay());
  needs.weights.text_encoder_2 += needs.weights.text_encoder;
  EXPECT_NE(refusal(needs), "none");
}

TEST(MemoryPlan, TheSecondVaeHasAPlace) {
  MemoryNeeds needs = ssd1b(std::int64_t{11} << 29);
  const std::int64_t rows = MemoryPlan(needs).call_rows(8, 8);
  needs.limit_bytes -= needs.weights.second_vae;
  needs.weights.second_vae = 0;  // as where the first computes in float32

  EXPECT_EQ(MemoryPlan(needs).call_rows(8, 8), rows);
}

TEST(MemoryPlan, TooLittleIsRefusedWithWhatIsNeeded) {
  MemoryNeeds needs = ssd1b(3000 * kMega);

  EXPECT_THAT(refusal(needs), testing::HasSubstr("usage: --device-memory-limit must be at least"));
  needs.free_bytes = needs.limit_bytes;
  EXPECT_THAT(refusal(needs), testing::HasSubstr("no_device: the device's free memory"));
}

TEST(MemoryPlan, TheLeastThatIsNamedIsEnough) {
  const std::string said = refusal(ssd1b(3000 * kMega));
  const std::int64_t mebibytes = std::stoll(said.substr(said.find("least ") + 6));

  EXPECT_EQ(refusal(ssd1b(mebibytes << 20)), "none");
  EXPECT_NE(refusal(ssd1b((mebibytes - 1) << 20)), "none");
}

TEST(MemoryPlan, GraphsHaveAnEighthOfTheRoomWhereNobodySetALimit) {
  const MemoryNeeds needs = gpu(24'000 * kMega, 22'400 * kMega);
  const std::int64_t call = unet_call_cost(needs.unet, 2, 77).bytes(/*rows=*/2, 128, 128);

  const MemoryPlan plan(needs);

  EXPECT_EQ(plan.graph_room().bytes / call, 6);
  EXPECT_EQ(plan.graph_room().bytes, ((22'400 - 4595) * kMega - 16 * kPromptBytes) / 8);
  EXPECT_EQ(plan.graph_room().cost.bytes(2, 128, 128), call);
  EXPECT_FALSE(plan.tile(256, 256, /*element=*/2));
}

TEST(MemoryPlan, ThereAreNoGraphsWhereMemoryIsCounted) {
  const MemoryNeeds tight = gpu(8000 * kMega, 5500 * kMega);  // the encoders do not stay
  MemoryNeeds host = gpu(22'000 * kMega, 22'000 * kMega);
  host.device_is_host = true;

  EXPECT_EQ(MemoryPlan(ssd1b(22'000 * kMega)).graph_room().bytes, 0);  // --device-memory-limit
  EXPECT_EQ(MemoryPlan(tight).graph_room().bytes, 0);
  EXPECT_EQ(MemoryPlan(host).graph_room().bytes, 0);
  EXPECT_EQ(MemoryPlan().graph_room().bytes, 0);
}

TEST(MemoryPlan, WhatElseIsOnTheGpuChangesNoTiles) {
  for (const std::int64_t total : {6000 * kMega, 8000 * kMega, 24'000 * kMega}) {
    const MemoryPlan alone(gpu(total, total));
    std::int64_t served = 0;
    for (std::int64_t free = total; refusal(gpu(total, free)) == "none"; free -= 100 * kMega) {
      const MemoryPlan plan(gpu(total, free));
      ++served;
      for (const std::int64_t side : {64, 128, 192, 256, 512}) {
        EXPECT_EQ(plan.tile(side, side, 2), alone.tile(side, side, 2)) << total << " " << free;
        EXPECT_EQ(plan.tile(side, side, 4), alone.tile(side, side, 4)) << total << " " << free;
      }
    }
    EXPECT_GT(served, 2) << total;
  }
}

TEST(MemoryPlan, WhatElseIsOnTheGpuDecidesOnEncodersCallsAndGraphs) {
  const MemoryPlan alone(gpu(24'000 * kMega, 22'400 * kMega));
  const MemoryPlan beside(gpu(24'000 * kMega, 6000 * kMega));

  EXPECT_TRUE(alone.text_encoders_stay());
  EXPECT_FALSE(beside.text_encoders_stay());
  EXPECT_GT(alone.call_rows(128, 128), beside.call_rows(128, 128));
  EXPECT_GT(alone.graph_room().bytes, beside.graph_room().bytes);
}

TEST(MemoryPlan, TooLittleFreeForTheTilesOfTheGpuIsRefused) {
  const std::string said = refusal(gpu(24'000 * kMega, 3000 * kMega));
  const std::int64_t mebibytes = std::stoll(said.substr(said.find("least ") + 6));
  const MemoryNeeds needs = gpu(24'000 * kMega, mebibytes << 20);
  const std::int64_t decode = decode_bytes(needs.vae, 2, 128, 128);

  EXPECT_GE(mebibytes << 20, needs.weights.unet + needs.weights.vae + decode);
  EXPECT_EQ(refusal(needs), "none");
  EXPECT_NE(refusal(gpu(24'000 * kMega, (mebibytes - 1) << 20)), "none");
}

TEST(MemoryPlan, OnTheHostNothingIsMoved) {
  MemoryNeeds needs = ssd1b(5500 * kMega);
  needs.device_is_host = true;

  const MemoryPlan plan(needs);

  EXPECT_TRUE(plan.text_encoders_stay());
  EXPECT_EQ(plan.tile(128, 128, /*element=*/2), 64);
}

TEST(UNetCallCost, ARowHasKeysAndValuesInEveryTransformerBlock) {
  UNetConfig unet = ssd1b(0).unet;
  EXPECT_EQ(unet_call_cost(unet, /*element=*/2, /*tokens=*/77).row_bytes, kPromptBytes);

  unet.mid_block = {1290, 20, true, {10}};  // 64 in each head
  EXPECT_EQ(unet_call_cost(unet, 2, 77).row_bytes, kPromptBytes + 2 * 77 * 10 * 1280 * 2);
}

/// Whatever the size: of small pictures the prompts take more than the latents.
TEST(MemoryPlan, CallsThatPicturesShareFitBesideTheWeightsAndThePrompts) {
  const MemoryNeeds needs = ssd1b(5700 * kMega);
  const MemoryPlan plan(needs);
  const std::int64_t free = needs.limit_bytes - (std::int64_t{770} << 20) - needs.weights.unet -
                            needs.weights.vae - needs.weights.second_vae - 16 * kPromptBytes;
  const UNetCallCost cost = unet_call_cost(needs.unet, needs.weights.unet_element, needs.tokens);

  for (const std::int64_t side : {8, 64, 128}) {
    const std::int64_t rows = plan.call_rows(side, side);
    EXPECT_LE(cost.bytes(rows, side, side), free) << side;
    EXPECT_GT(cost.bytes(rows + 1, side, side), free) << side;
  }
  EXPECT_GE(plan.call_rows(128, 128), 2);
  EXPECT_GT(MemoryPlan().call_rows(128, 128), 1 << 30);  // no limit
}

TEST(MemoryPlan, MorePicturesInTheMakingLeaveLessRoom) {
  MemoryNeeds needs = ssd1b(std::int64_t{11} << 29);
  needs.pictures = 20;

  EXPECT_EQ(MemoryPlan(needs).tile(128, 128, /*element=*/2), 96);
}

}  // namespace
}  // namespace ssd1b
