// Many pictures: memory stays flat, nothing is lost, mixed or counted twice.
#include <unistd.h>

#include <atomic>
#include <fstream>
#include <random>

#include "workers/dispatcher_fixture.h"

namespace ssd1b {
namespace {

class DispatcherLoadTest : public DispatcherTest {
 protected:
  /// Makes so many pictures from four clients; how many came out right.
  int make(int pictures) {
    std::atomic<int> left{pictures}, right{0};
    std::vector<std::thread> clients;
    for (int client = 0; client < 4; ++client) {
      clients.emplace_back([&] {
        for (int i = left--; i > 0; i = left--) {
          const auto job = submit("a red apple", i);
          if (!job->wait_until(Clock::now() + seconds(30))) continue;
          const auto result = job->take_result();
          const auto* image = std::get_if<GeneratedImage>(&result);
          if (image && image->image.rgb == fake_picture(job->request()).rgb) ++right;
        }
      });
    }
    for (std::thread& each : clients) each.join();
    return right;
  }

  static std::int64_t own_memory_bytes() {
    std::int64_t all = 0, resident = 0;
    std::ifstream("/proc/self/statm") >> all >> resident;
    return resident * sysconf(_SC_PAGESIZE);
  }

  std::int64_t worker_memory_bytes() {
    std::this_thread::sleep_for(milliseconds(1100));  // it is read once a second
    return static_cast<std::int64_t>(metric("ssd1b_worker_memory_bytes{device=\"cpu\"}"));
  }
};

TEST_F(DispatcherLoadTest, MemoryStaysFlat) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "sanitizers keep what was freed";
#endif
  start_ready();
  ASSERT_EQ(make(4000), 4000);
  const std::int64_t worker_before = worker_memory_bytes();
  const std::int64_t before = own_memory_bytes();

  ASSERT_EQ(make(12000), 12000);

  EXPECT_LT(own_memory_bytes() - before, 1 << 20);
  EXPECT_LT(worker_memory_bytes() - worker_before, 1 << 20);
  expect_balanced_books();
}

/// Pictures with all kinds of faults, clients that leave, deadlines that pass, a worker that dies.
TEST_F(DispatcherLoadTest, BooksBalanceAfterAnything) {
  remember_faults();
  options.queue_size = 20;
  start_ready();
  const char* prompts[] = {"delay=1ms", "delay=1ms",    "oom@1",       "oom_once@2",
                           "nan@2",     "abort_once@1", "lost_once@2", "garbage_once@1",
                           "delay=5ms", "noroom",       "fail@1",      "exit_once@2"};
  std::atomic<int> wrong{0};
  std::vector<std::thread> clients;
  for (int client = 0; client < 6; ++client) {
    clients.emplace_back([&, client] {
      std::mt19937 random(100 + client);
      for (int i = 0; i < 60; ++i) {
        const auto wait = milliseconds(random() % 8 == 0 ? 5 : 30000);
        try {
          const auto jobs = dispatcher->submit(
              {request(prompts[random() % std::size(prompts)], client * 1000 + i)},
              ticket("client " + std::to_string(client % 3), wait));
          if (random() % 6 == 0) {
            dispatcher->cancel(*jobs[0], {ErrorCode::Cancelled, "the client went away", 0});
          }
          if (random() % 9 == 0) dispatcher->finish(*jobs[0]);
          if (!jobs[0]->wait_until(Clock::now() + seconds(60))) ++wrong;
        } catch (const Refusal&) {
        }
      }
    });
  }
  for (std::thread& each : clients) each.join();

  EXPECT_EQ(wrong, 0);
  EXPECT_GT(metric("ssd1b_pictures_accepted_total"), 200);
  EXPECT_GT(ended("succeeded"), 50);
  EXPECT_GT(ended("failed"), 20);
  EXPECT_GT(ended("cancelled"), 10);
  EXPECT_TRUE(eventually([&] { return metric("ssd1b_running_pictures") == 0; }));
  expect_balanced_books();
}

}  // namespace
}  // namespace ssd1b
