#include "service/admission/backlog.h"

#include <gmock/gmock.h>

namespace ssd1b {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

Accepted accepted(PictureId id, Clock::time_point deadline = Clock::time_point::max()) {
  Accepted accepted;
  accepted.job = std::make_shared<Job>(id, GenerationRequest{}, JobTicket{"", "a", deadline});
  accepted.work.unet_calls = 10;
  accepted.work.rows = 2;
  accepted.work.latent_pixels = 64;
  accepted.bytes = 100;
  return accepted;
}

TEST(Backlog, AJobGoesFromTheQueueToAWorkerAndOut) {
  Backlog backlog;
  backlog.add(accepted(1));
  backlog.add(accepted(2));
  EXPECT_EQ(backlog.queued(), 2);
  EXPECT_EQ(backlog.queued_bytes(), 200);

  backlog.take(1, /*worker=*/0);

  EXPECT_EQ(backlog.queued(), 1);
  EXPECT_EQ(backlog.running(), 1);
  EXPECT_EQ(backlog.queued_bytes(), 100);
  EXPECT_THAT(backlog.held_by(0), ElementsAre(1));
  EXPECT_EQ(backlog.remove(1).job->id(), 1u);
  EXPECT_THAT(backlog.held_by(0), IsEmpty());
  EXPECT_EQ(backlog.remove(2).job->id(), 2u);
  EXPECT_TRUE(backlog.empty());
  EXPECT_EQ(backlog.queued_bytes(), 0);
  EXPECT_EQ(backlog.find(1), nullptr);
}

TEST(Backlog, WhatIsPutBackComesFirstAndAlone) {
  Backlog backlog;
  for (PictureId id = 1; id <= 3; ++id) backlog.add(accepted(id));
  backlog.take(1, 0);
  backlog.take(2, 0);
  backlog.find(2)->calls_done = 7;

  backlog.put_back(2);
  backlog.put_back(1);

  EXPECT_THAT(backlog.queue().in_order(10), ElementsAre(1, 2, 3));
  EXPECT_TRUE(backlog.find(2)->must_run_alone);
  EXPECT_FALSE(backlog.find(3)->must_run_alone);
  EXPECT_EQ(backlog.running(), 0);
  backlog.take(2, 1);
  EXPECT_EQ(backlog.find(2)->calls_left(), 10);  // from the start
}

TEST(Backlog, KnowsWhoseTimeIsUp) {
  Backlog backlog;
  const auto now = Clock::now();
  backlog.add(accepted(1, now + std::chrono::seconds(3)));
  backlog.add(accepted(2, now + std::chrono::seconds(1)));
  backlog.add(accepted(3, now + std::chrono::seconds(2)));
  backlog.take(3, 0);

  EXPECT_EQ(*backlog.next_deadline(), now + std::chrono::seconds(1));
  EXPECT_THAT(backlog.expired(now), IsEmpty());
  EXPECT_THAT(backlog.expired(now + std::chrono::seconds(2)), ElementsAre(2, 3));
  backlog.remove(2);
  backlog.remove(3);
  EXPECT_THAT(backlog.expired(now + std::chrono::seconds(9)), ElementsAre(1));
  backlog.remove(1);
  EXPECT_FALSE(backlog.next_deadline());
}

TEST(Backlog, SumsTheWorkThatWaits) {
  WaitEstimate estimate;
  estimate.observe_call(128, 0.1);
  estimate.observe_rest(64, 0.5);
  Backlog backlog;
  for (PictureId id = 1; id <= 4; ++id) backlog.add(accepted(id));
  EXPECT_DOUBLE_EQ(backlog.queued_work().seconds(estimate), 6.0);

  backlog.take(1, 0);
  backlog.remove(2);

  EXPECT_DOUBLE_EQ(backlog.queued_work().seconds(estimate), 3.0);
  backlog.put_back(1);
  EXPECT_DOUBLE_EQ(backlog.queued_work().seconds(estimate), 4.5);
}

}  // namespace
}  // namespace ssd1b
