#include "apps/run_program.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cerrno>
#include <stdexcept>
#include <string>
#include <system_error>

#include "ssd1b/error.h"

namespace ssd1b {
namespace {

struct EndCase {
  std::function<int()> body;
  int status;
  const char* line;
};

TEST(RunProgram, EndsWithTheStatusOfTheErrorAndOneLine) {
  const EndCase cases[] = {
      {[]() -> int { throw Error(ErrorCode::Usage, "--port must be"); }, 64, "x: --port must be\n"},
      {[]() -> int { throw Error(ErrorCode::BadModel, "no file"); }, 65, "x: no file\n"},
      {[]() -> int { throw Error(ErrorCode::NoDevice, "no GPU"); }, 69, "x: no GPU\n"},
      {[]() -> int { throw Error(ErrorCode::SystemRefused, "port"); }, 71, "x: port\n"},
      {[]() -> int { throw std::logic_error("odd"); }, exit_status_of(ErrorCode::InternalError),
       "x: this is a bug: odd\n"},
      {[]() -> int { throw std::system_error(EAGAIN, std::generic_category(), "thread"); }, 71,
       "x: the system refused something: thread: Resource temporarily unavailable\n"},
      {[] { return 3; }, 3, ""},
  };
  for (const EndCase& end : cases) {
    testing::internal::CaptureStderr();

    const int status = run_program("x", end.body);

    EXPECT_EQ(testing::internal::GetCapturedStderr(), end.line);
    EXPECT_EQ(status, end.status);
  }
}

TEST(RunProgram, EndsThoughNobodyReadsItsStandardError) {
  int ends[2];
  ASSERT_EQ(pipe2(ends, O_NONBLOCK), 0);
  const std::string much(1 << 20, 'x');
  EXPECT_LT(write(ends[1], much.data(), much.size()), static_cast<ssize_t>(much.size()));
  fcntl(ends[1], F_SETFL, 0);  // writers wait
  const int own = dup(STDERR_FILENO);
  dup2(ends[1], STDERR_FILENO);

  const int status = run_program("x", []() -> int { throw Error(ErrorCode::BadModel, "no file"); });

  dup2(own, STDERR_FILENO);
  for (const int each : {ends[0], ends[1], own}) close(each);
  EXPECT_EQ(status, 65);
}

}  // namespace
}  // namespace ssd1b
