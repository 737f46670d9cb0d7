#include "service/admission/job.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

namespace ssd1b {
namespace {

GeneratedImage picture(std::uint64_t seed) {
  GeneratedImage image;
  image.seed = seed;
  return image;
}

TEST(Job, GoesThroughItsStates) {
  Job job(7, {}, {});
  EXPECT_EQ(job.status().state, JobState::Queued);
  EXPECT_FALSE(job.status().has_started);

  EXPECT_TRUE(job.start());
  EXPECT_EQ(job.status().state, JobState::Running);
  EXPECT_TRUE(job.status().has_started);
  EXPECT_TRUE(job.progress(3, 25));
  EXPECT_EQ(job.status().step, 3);
  EXPECT_EQ(job.status().steps, 25);
  EXPECT_FALSE(job.wait_until(Clock::now()));
  EXPECT_TRUE(job.succeed(picture(9)));

  EXPECT_TRUE(job.wait_until(Clock::now()));
  EXPECT_EQ(job.status().state, JobState::Succeeded);
  EXPECT_EQ(std::get<GeneratedImage>(job.take_result()).seed, 9u);
}

TEST(Job, EndsOnce) {
  Job job(7, {}, {});
  EXPECT_TRUE(job.fail({ErrorCode::OutOfMemory, "none left", 3}));

  EXPECT_FALSE(job.succeed(picture(1)));
  EXPECT_FALSE(job.cancel({}));
  EXPECT_FALSE(job.fail({}));
  EXPECT_FALSE(job.start());
  EXPECT_FALSE(job.progress(1, 2));

  EXPECT_EQ(job.status().state, JobState::Failed);
  const auto fault = std::get<JobFault>(job.take_result());
  EXPECT_EQ(fault.code, ErrorCode::OutOfMemory);
  EXPECT_EQ(fault.retry_after_s, 3);
}

TEST(Job, NeverGoesBackwards) {
  Job job(7, {}, {});
  job.start();
  job.progress(10, 25);

  job.start();  // again, after a worker's death
  job.progress(1, 25);

  EXPECT_EQ(job.status().step, 10);
  job.progress(11, 25);
  EXPECT_EQ(job.status().step, 11);
}

TEST(Job, TellsItsListenerOfEveryChange) {
  Job job(7, {}, {});
  int calls = 0;
  job.on_change([&] { ++calls; });
  EXPECT_EQ(calls, 0);

  job.start();
  job.progress(1, 2);
  job.cancel({});
  job.cancel({});

  EXPECT_EQ(calls, 3);
}

TEST(Job, TellsALateListenerAtOnce) {
  Job job(7, {}, {});
  job.start();
  int calls = 0;

  job.on_change([&] {
    ++calls;
    job.status();  // no lock is held
  });

  EXPECT_EQ(calls, 1);
}

TEST(Job, WakesThoseWhoWait) {
  Job job(7, {}, {});
  std::thread other([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    job.succeed(picture(1));
  });

  EXPECT_TRUE(job.wait_until(Clock::now() + std::chrono::seconds(10)));

  other.join();
}

TEST(Job, OfManyWhoEndItOneWins) {
  for (int round = 0; round < 50; ++round) {
    Job job(7, {}, {});
    std::atomic<int> winners{0};
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i) {
      threads.emplace_back([&, i] {
        const bool won = i % 2 == 0 ? job.succeed(picture(1)) : job.cancel({});
        if (won) ++winners;
      });
    }
    for (std::thread& each : threads) each.join();
    EXPECT_EQ(winners, 1);
  }
}

}  // namespace
}  // namespace ssd1b
