// Processes in a system that is short of descriptors, or that does not give them back.
#include "service/workers/child_process.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "service/workers/device_worker.h"

namespace ssd1b {
namespace {

using std::chrono::seconds;

/// While it lives this process can open no descriptor more.
class NoDescriptorLeft {
 public:
  NoDescriptorLeft() {
    getrlimit(RLIMIT_NOFILE, &before_);
    const rlimit few{kFew, before_.rlim_max};
    setrlimit(RLIMIT_NOFILE, &few);
    for (int each; (each = open("/dev/null", O_RDONLY)) >= 0;) taken_.push_back(each);
  }
  ~NoDescriptorLeft() {
    for (const int each : taken_) close(each);
    setrlimit(RLIMIT_NOFILE, &before_);
  }

 private:
  static constexpr rlim_t kFew = 64;
  rlimit before_{};
  std::vector<int> taken_;
};

std::optional<ExitStatus> end_of(ChildProcess& child) {
  const auto until = Clock::now() + seconds(10);
  while (!child.try_reap() && Clock::now() < until) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return child.try_reap();
}

TEST(ChildProcess, ItsEndIsKnownThoughSignalsOfChildrenWereIgnored) {
  signal(SIGCHLD, SIG_IGN);

  ChildProcess child("/bin/false", {}, {});

  const std::optional<ExitStatus> end = end_of(child);
  ASSERT_TRUE(end);
  EXPECT_EQ(end->text(), "exit status 1");
}

TEST(ChildProcess, NeedsNoneOfItsParentsDescriptors) {
  const NoDescriptorLeft none;

  ChildProcess child("/bin/true", {}, {});

  const std::optional<ExitStatus> end = end_of(child);
  ASSERT_TRUE(end);
  EXPECT_EQ(end->text(), "exit status 0");
}

/// A process that is traced ends for its parent only once its tracer has looked.
TEST(ChildProcess, OneThatCannotBeReapedHoldsItsEndUpForASecond) {
  auto child = std::make_unique<ChildProcess>("/bin/sleep", std::vector<std::string>{"60"},
                                              ChildDescriptors{});
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  const pid_t tracer = fork();
  if (tracer == 0) {
    const bool does_trace = ptrace(PTRACE_SEIZE, child->pid(), nullptr, nullptr) == 0;
    [[maybe_unused]] const ssize_t written = write(ends[1], &does_trace, sizeof does_trace);
    if (does_trace) pause();
    _exit(0);
  }
  bool does_trace = false;
  ASSERT_EQ(read(ends[0], &does_trace, sizeof does_trace), ssize_t{sizeof does_trace});
  const Clock::time_point began = Clock::now();

  if (does_trace) child.reset();

  const Clock::duration took = Clock::now() - began;
  kill(tracer, SIGKILL);
  waitpid(tracer, nullptr, 0);
  close(ends[0]);
  close(ends[1]);
  if (!does_trace) GTEST_SKIP() << "this system lets no process trace another";
  EXPECT_GT(took, std::chrono::milliseconds(900));
  EXPECT_LT(took, seconds(3));
}

TEST(DeviceWorker, AProcessThatTheSystemRefusesIsNoFailedStart) {
  DeviceWorker worker("cpu", {"/bin/true", {}}, {seconds(30), seconds(1)});
  const NoDescriptorLeft none;
  const Clock::time_point now = Clock::now();

  for (int i = 0; i < 10; ++i) worker.start(now);

  EXPECT_EQ(worker.phase(), DeviceWorker::Phase::Down);
  EXPECT_FALSE(worker.is_hopeless());
  EXPECT_EQ(worker.starts_at(), now + seconds(1));
}

}  // namespace
}  // namespace ssd1b
