#include "logging/log.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/wait.h>
#include <unistd.h>

#include <functional>
#include <string>

#include "ssd1b/error.h"

namespace ssd1b {
namespace {

struct Outcome {
  std::string text;  // what reached standard error
  int status = -1;   // as waitpid gives it
};

/// Runs `body` in a child process with `read_end`/`write_end` of a pipe as its standard error.
Outcome run_child(const std::function<void()>& body) {
  int ends[2];
  if (::pipe(ends) != 0) throw std::runtime_error("no pipe");
  const pid_t child = ::fork();
  if (child == 0) {
    ::close(ends[0]);
    ::dup2(ends[1], STDERR_FILENO);
    ::close(ends[1]);
    body();
    ::_exit(0);
  }
  ::close(ends[1]);
  Outcome outcome;
  char buffer[4096];
  for (ssize_t got; (got = ::read(ends[0], buffer, sizeof buffer)) > 0;) {
    outcome.text.append(buffer, static_cast<std::size_t>(got));
  }
  ::close(ends[0]);
  ::waitpid(child, &outcome.status, 0);
  return outcome;
}

TEST(Log, WritesRecordsOfTheLevelAndGraver) {
  const Outcome outcome = run_child([] {
    set_up_logging("warn", "text");
    log_debug("one");
    log_info("two");
    log_warn("three", {{"n", 3}});
    log_error("four");
    shut_down_logging();
  });

  EXPECT_EQ(outcome.status, 0);
  EXPECT_THAT(outcome.text, testing::HasSubstr("warn three n=3\n"));
  EXPECT_THAT(outcome.text, testing::HasSubstr("error four\n"));
  EXPECT_THAT(outcome.text, testing::Not(testing::HasSubstr("two")));
}

TEST(Log, WritesWithoutSetUpAndAtExit) {
  const Outcome outcome = run_child([] {
    log_info("hello");
    std::exit(0);
  });

  EXPECT_THAT(outcome.text, testing::HasSubstr("info hello\n"));
}

TEST(Log, RefusesOtherLevelsAndFormats) {
  EXPECT_THROW(set_up_logging("loud", "text"), Error);
  EXPECT_THROW(set_up_logging("info", "xml"), Error);
}

TEST(Log, GoesOnWhenStandardErrorIsGone) {
  const Outcome outcome = run_child([] {
    int ends[2];
    if (::pipe(ends) != 0) ::_exit(1);
    ::dup2(ends[1], STDERR_FILENO);
    ::close(ends[1]);
    ::close(ends[0]);  // the reader of the log went away
    set_up_logging("info", "json");
    for (int i = 0; i < 100; ++i) log_info("record", {{"i", i}});
    shut_down_logging();
  });

  EXPECT_EQ(outcome.status, 0) << "must not die of SIGPIPE";
}

TEST(Log, NeverBlocksOnAStuckReaderAndCountsWhatIsLost) {
  const Outcome outcome = run_child([] {
    int ends[2];
    if (::pipe(ends) != 0) ::_exit(1);
    ::dup2(ends[1], STDERR_FILENO);  // nobody will read
    ::alarm(20);
    set_up_logging("info", "text");
    for (int i = 0; i < 30000; ++i) log_info("record", {{"text", std::string(200, 'x')}});
    const bool counted = dropped_log_records() > 20000;
    shut_down_logging();
    ::_exit(counted ? 0 : 3);
  });

  EXPECT_EQ(outcome.status, 0);
}

TEST(Log, KeepsAClosedStandardErrorFromBeingReused) {
  const Outcome outcome = run_child([] {
    ::close(STDERR_FILENO);
    set_up_logging("info", "text");
    const int next = ::open("/dev/null", O_RDONLY);
    ::_exit(next > STDERR_FILENO ? 0 : 1);
  });

  EXPECT_EQ(outcome.status, 0);
}

}  // namespace
}  // namespace ssd1b
