#include "service/admission/wait_estimate.h"

#include <gtest/gtest.h>

#include <limits>

#include "service/admission/outlook.h"

namespace ssd1b {
namespace {

Work work(int calls, int rows, std::int64_t latent_pixels) {
  Work work;
  work.unet_calls = calls;
  work.rows = rows;
  work.latent_pixels = latent_pixels;
  return work;
}

TEST(WaitEstimate, KnowsNothingBeforeTheFirstUnit) {
  const WaitEstimate estimate;

  EXPECT_FALSE(estimate.seconds_of_call(128));
  EXPECT_EQ(estimate.seconds_of(work(25, 2, 64), 25), 0.0);
}

TEST(WaitEstimate, CountsCallsAndTheRest) {
  WaitEstimate estimate;
  estimate.observe_call(128, 0.5);
  estimate.observe_rest(64, 2.0);

  EXPECT_DOUBLE_EQ(estimate.seconds_of(work(25, 2, 64), 25), 14.5);
  EXPECT_DOUBLE_EQ(estimate.seconds_of(work(25, 2, 64), 3), 3.5);
  EXPECT_DOUBLE_EQ(estimate.seconds_of(work(25, 1, 64), 4), 3.0);  // half the rows, half the time
}

TEST(WaitEstimate, AnUnknownSizeCountsFromTheNearest) {
  WaitEstimate estimate;
  estimate.observe_call(100, 1.0);
  estimate.observe_call(1000, 20.0);
  const struct {
    std::int64_t size;
    double seconds;
  } cases[] = {{50, 0.5}, {100, 1.0}, {200, 2.0}, {600, 12.0}, {1000, 20.0}, {4000, 80.0}};

  for (const auto& each : cases) {
    EXPECT_DOUBLE_EQ(*estimate.seconds_of_call(each.size), each.seconds) << each.size;
  }
}

TEST(WaitEstimate, FollowsAChangeOfSpeed) {
  WaitEstimate estimate;
  estimate.observe_call(100, 1.0);
  for (int i = 0; i < 20; ++i) estimate.observe_call(100, 3.0);

  EXPECT_NEAR(*estimate.seconds_of_call(100), 3.0, 0.01);
}

TEST(WaitEstimate, IgnoresWhatCannotBe) {
  WaitEstimate estimate;
  estimate.observe_call(0, 1.0);
  estimate.observe_call(100, -1.0);
  estimate.observe_call(100, std::numeric_limits<double>::quiet_NaN());

  EXPECT_FALSE(estimate.seconds_of_call(100));
}

TEST(WaitEstimate, RemembersABoundedNumberOfSizes) {
  WaitEstimate estimate;
  for (int size = 1; size <= 100000; ++size) estimate.observe_call(size, size * 0.001);

  for (int size = 1; size <= 100000; size += 997) {
    EXPECT_NEAR(*estimate.seconds_of_call(size), size * 0.001, 1e-9);
  }
}

TEST(RetryAfter, IsWholeSecondsRoundedUp) {
  EXPECT_EQ(retry_after_of(0.0), 1);
  EXPECT_EQ(retry_after_of(-5.0), 1);
  EXPECT_EQ(retry_after_of(1.0), 1);
  EXPECT_EQ(retry_after_of(1.01), 2);
  EXPECT_EQ(retry_after_of(59.5), 60);
  EXPECT_EQ(retry_after_of(1e9), 3600);
  EXPECT_EQ(retry_after_of(std::numeric_limits<double>::quiet_NaN()), 1);
}

TEST(Outlook, WaitsForAPlaceNotForEverything) {
  const struct {
    Outlook outlook;
    double seconds_until_start;
  } cases[] = {
      {{0, 0.0, 4}, 0.0},    // nobody is there
      {{3, 30.0, 4}, 0.0},   // a place is free
      {{4, 40.0, 4}, 10.0},  // the first to end makes room
      {{8, 80.0, 4}, 50.0}, {{8, 80.0, 1}, 80.0}, {{8, 0.0, 1}, 0.0},  // nothing was measured
  };
  for (const auto& each : cases) {
    EXPECT_DOUBLE_EQ(each.outlook.seconds_until_start(), each.seconds_until_start);
  }
}

}  // namespace
}  // namespace ssd1b
