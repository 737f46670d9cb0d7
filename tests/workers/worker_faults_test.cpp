// What happens to pictures when workers die, hang, garble or run out of memory.
#include <signal.h>

#include <atomic>
#include <filesystem>
#include <fstream>

#include "workers/dispatcher_fixture.h"

namespace ssd1b {
namespace {

class WorkerFaultsTest : public DispatcherTest {
 protected:
  /// Process ids of this process's children.
  static std::vector<pid_t> children() {
    std::vector<pid_t> pids;
    for (const auto& entry : std::filesystem::directory_iterator("/proc/self/task")) {
      std::ifstream in(entry.path() / "children");
      for (pid_t pid; in >> pid;) pids.push_back(pid);
    }
    return pids;
  }

  static void kill_workers() {
    for (const pid_t pid : children()) kill(pid, SIGKILL);
  }

  /// Clients that ask for a picture with long prompts and go away at once.
  void come_and_go(int times) {
    GenerationRequest large = request(std::string(4096, 'a'));
    large.negative_prompt = std::string(4096, 'b');
    for (int i = 0; i < times; ++i) {
      const auto job = dispatcher->submit({large}, ticket()).front();
      dispatcher->cancel(*job, {ErrorCode::Cancelled, "the client went away", 0});
    }
  }
};

TEST_F(WorkerFaultsTest, ACrashCostsTimeButNoPicture) {
  remember_faults();
  start_ready();
  std::vector<std::shared_ptr<Job>> jobs;
  jobs.push_back(submit("delay=5ms abort_once@2", 1));
  for (int i = 2; i < 8; ++i) jobs.push_back(submit("delay=5ms", i));

  for (const auto& job : jobs) expect_right_picture(*job);

  EXPECT_EQ(restarts("crash"), 1);
  EXPECT_EQ(metric("ssd1b_pictures_remade_total"), 4);
  expect_balanced_books();
}

TEST_F(WorkerFaultsTest, WhatIsFinishedWhileItsWorkerIsDeadIsDecodedWhereItWas) {
  remember_faults();
  start_ready();
  const auto job = submit("delay=5ms abort_once@6", 1, 100);
  ASSERT_TRUE(eventually([&] { return metric("ssd1b_pictures_remade_total") == 1; }));
  ASSERT_EQ(job->status().step, 5);

  dispatcher->finish(*job);

  ASSERT_TRUE(job->wait_until(Clock::now() + seconds(30)));
  const auto result = job->take_result();
  ASSERT_TRUE(std::holds_alternative<GeneratedImage>(result));
  EXPECT_LT(job->status().step, 20);
  EXPECT_EQ(std::get<GeneratedImage>(result).image.rgb,
            fake_picture(job->request(), job->status().step).rgb);
}

TEST_F(WorkerFaultsTest, EveryKindOfDeathHasItsReason) {
  remember_faults();
  start_ready();

  expect_right_picture(*submit("segv_once", 1));
  expect_right_picture(*submit("exit_once", 2));
  expect_right_picture(*submit("lost_once", 3));
  expect_right_picture(*submit("throw_once", 4));
  expect_right_picture(*submit("garbage_once", 5));
  expect_right_picture(*submit("wrong_once", 6));

  EXPECT_EQ(restarts("crash"), 2);
  EXPECT_EQ(restarts("device_lost"), 2);
  EXPECT_EQ(restarts("protocol"), 2);
  expect_balanced_books();
}

TEST_F(WorkerFaultsTest, OnlyThePictureThatKillsAloneIsGivenUp) {
  start_ready();
  const auto poison = submit("delay=5ms abort@2", 1);
  std::vector<std::shared_ptr<Job>> others;
  for (int i = 2; i < 6; ++i) others.push_back(submit("delay=5ms", i));

  EXPECT_EQ(fault_of(*poison).code, ErrorCode::WorkerCrashed);
  for (const auto& job : others) expect_right_picture(*job);
  EXPECT_EQ(restarts("crash"), 2);
  EXPECT_EQ(ended("failed"), 1);
  expect_balanced_books();
}

TEST_F(WorkerFaultsTest, APictureThatIsGivenUpTakesItsRequestAlong) {
  start_ready();

  const auto jobs = dispatcher->submit({request("abort@1", 1), request("abort@1", 2)}, ticket());

  EXPECT_EQ(fault_of(*jobs[0]).code, ErrorCode::WorkerCrashed);
  EXPECT_EQ(fault_of(*jobs[1], seconds(1)).code, ErrorCode::Cancelled);
  expect_right_picture(*submit("after it", 3));
  expect_balanced_books();
}

TEST_F(WorkerFaultsTest, ProgressNeverGoesBackwards) {
  remember_faults();
  start_ready();
  const auto job = submit("delay=10ms abort_once@10", 1, 20);
  struct Seen {
    std::atomic<int> last{0}, backwards{0};
  };
  const auto seen = std::make_shared<Seen>();  // the listener may outlive this test
  job->on_change([seen, raw = job.get()] {
    const int step = raw->status().step;
    if (step < seen->last.exchange(step)) ++seen->backwards;
  });

  expect_right_picture(*job);

  EXPECT_TRUE(eventually([&] { return seen->last == 20; }));
  EXPECT_EQ(seen->backwards, 0);
  job->on_change(nullptr);
}

TEST_F(WorkerFaultsTest, PreviewsOfAPictureThatIsMadeAgainAreShownOnce) {
  remember_faults();
  start_ready();
  GenerationRequest wanted = request("delay=5ms abort_once@5", 1, 8);
  wanted.previews = 3;
  const auto job = dispatcher->submit({wanted}, ticket()).front();

  expect_right_picture(*job);

  std::vector<int> steps;
  for (const PicturePreview& each : job->take_previews(Clock::now())) steps.push_back(each.step);
  EXPECT_EQ(steps, (std::vector<int>{2, 4, 6}));
}

TEST_F(WorkerFaultsTest, APreviewOfAnotherSizeEndsTheWorker) {
  remember_faults();
  start_ready();

  expect_right_picture(*submit("strange_once@2", 1));

  EXPECT_EQ(restarts("protocol"), 1);
}

TEST_F(WorkerFaultsTest, AHungWorkerIsFoundAndReplaced) {
  remember_faults();
  tuning.hang_floor = seconds(1);
  start_ready();
  const auto start_time = Clock::now();

  expect_right_picture(*submit("hang_once@2", 1));

  const auto took = Clock::now() - start_time;
  EXPECT_GT(took, seconds(1));
  EXPECT_LT(took, seconds(2));
  EXPECT_EQ(restarts("hung"), 1);
  EXPECT_TRUE(eventually([&] { return dispatcher->state().live && dispatcher->state().ready; }));
  expect_balanced_books();
}

TEST_F(WorkerFaultsTest, ASlowPictureThatTicksIsNotAHungOne) {
  tuning.hang_floor = seconds(1);
  start_ready();

  expect_right_picture(*submit("delay=2500ms", 1, 1));

  EXPECT_EQ(restarts("hung"), 0);
}

TEST_F(WorkerFaultsTest, AnIdleWorkerMayBeSilent) {
  tuning.hang_floor = milliseconds(700);
  start_ready();

  std::this_thread::sleep_for(milliseconds(1500));

  EXPECT_EQ(restarts("hung"), 0);
  EXPECT_TRUE(dispatcher->state().ready);
}

TEST_F(WorkerFaultsTest, MemoryThatRunsOutOnceIsNoFault) {
  start_ready();
  std::vector<std::shared_ptr<Job>> jobs;
  for (int i = 0; i < 6; ++i) jobs.push_back(submit("delay=2ms oom_once@2", i));

  for (const auto& job : jobs) expect_right_picture(*job);

  EXPECT_EQ(metric("ssd1b_out_of_memory_total"), 6);
  expect_balanced_books();
}

TEST_F(WorkerFaultsTest, MemoryThatRunsOutAgainAloneEndsThePicture) {
  start_ready();
  const auto small = submit("delay=5ms", 2);
  const auto large = submit("delay=5ms oom@2", 1);

  const JobFault fault = fault_of(*large);

  EXPECT_EQ(fault.code, ErrorCode::OutOfMemory);
  EXPECT_GE(fault.retry_after_s, 1);
  EXPECT_EQ(metric("ssd1b_out_of_memory_total"), 2);
  expect_right_picture(*small);
  EXPECT_EQ(fault_of(*submit("noroom", 3)).code, ErrorCode::OutOfMemory);
  expect_balanced_books();
}

TEST_F(WorkerFaultsTest, AFaultOfOnePictureIsNoFaultOfTheOthers) {
  start_ready();
  const auto good = submit("delay=5ms", 1);
  const auto nan = submit("delay=5ms nan@2", 2);
  const auto broken = submit("delay=5ms fail@2", 3);

  EXPECT_EQ(fault_of(*nan).code, ErrorCode::NonFiniteOutput);
  EXPECT_EQ(fault_of(*broken).code, ErrorCode::InternalError);
  expect_right_picture(*good);
  EXPECT_EQ(restarts("crash"), 0);
  expect_balanced_books();
}

TEST_F(WorkerFaultsTest, ATextThatIsNotUtf8EndsOnlyItsPicture) {
  start_ready();

  EXPECT_EQ(fault_of(*submit("\xff", 1)).code, ErrorCode::InternalError);

  expect_right_picture(*submit("after it", 2));
  EXPECT_FALSE(dispatcher->fatal());
}

TEST_F(WorkerFaultsTest, KillsUnderLoadLoseNothing) {
  options.queue_size = 1000;
  start_ready();
  std::atomic<bool> is_over{false};
  std::atomic<int> answered{0};
  std::vector<std::thread> clients;
  for (int client = 0; client < 4; ++client) {
    clients.emplace_back([&, client] {
      for (std::uint64_t i = 0; !is_over; ++i) {
        expect_right_picture(*submit("delay=1ms", 1000 * client + i % 1000, 2));
        ++answered;
      }
    });
  }
  constexpr int kKills = 20;
  for (int i = 0; i < kKills; ++i) {
    // Far enough apart that what the last one hit has been made again: a picture hit twice is given
    // up.
    const int answered_before = answered;
    std::this_thread::sleep_for(milliseconds(100));
    ASSERT_TRUE(eventually([&] { return answered > answered_before + 20; }));
    kill_workers();
  }
  is_over = true;
  for (std::thread& each : clients) each.join();

  EXPECT_GT(answered, 100);
  EXPECT_EQ(ended("succeeded"), answered);
  EXPECT_GE(restarts("killed"), kKills - 2);  // one may have hit a process that was just starting
  expect_balanced_books();
}

TEST_F(WorkerFaultsTest, AWorkerThatDoesNotReadGetsNoMorePictures) {
  start_ready();
  const auto slow = submit("delay=1500ms", 1, 1);
  ASSERT_TRUE(eventually([&] { return slow->status().state == JobState::Running; }));

  come_and_go(/*times=*/2000);

  // What a socket holds has been given to it, the rest has waited in the queue.
  EXPECT_LT(metric("ssd1b_cancelled_total{state=\"running\"}"), 1000);
  std::vector<std::shared_ptr<Job>> waiting;
  for (int i = 0; i < options.queue_size; ++i) waiting.push_back(submit("after it", i));
  expect_right_picture(*slow);
  for (const auto& job : waiting) expect_right_picture(*job);
  EXPECT_EQ(restarts("hung"), 0);
  expect_balanced_books();
}

TEST_F(WorkerFaultsTest, AWorkerThatHangsIsFoundThoughNobodyWaits) {
  remember_faults();
  tuning.hang_floor = seconds(1);
  start_ready();
  const auto hangs = submit("hang_once", 1);
  ASSERT_TRUE(eventually([&] { return !std::filesystem::is_empty(folder.path()); }));  // it does

  dispatcher->cancel(*hangs, {ErrorCode::Cancelled, "the client went away", 0});

  EXPECT_TRUE(eventually([&] { return restarts("hung") == 1; }, seconds(3)));
  expect_right_picture(*submit("after it", 2));
  expect_balanced_books();
}

TEST_F(WorkerFaultsTest, ARestartOnlyMakesRequestsWait) {
  remember_faults();
  start_ready();
  variables.set("SSD1B_FAKE_LOAD_TIME", "300ms");  // of the next process
  kill_workers();
  ASSERT_TRUE(eventually([&] { return !dispatcher->state().ready; }));
  EXPECT_EQ(dispatcher->state().reason, "the worker is being restarted");
  EXPECT_TRUE(dispatcher->state().live);

  expect_right_picture(*submit("a red apple"));

  EXPECT_TRUE(dispatcher->state().ready);
}

}  // namespace
}  // namespace ssd1b
