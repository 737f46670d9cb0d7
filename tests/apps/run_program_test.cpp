#include "apps/run_program.h"

#include <gtest/gtest.h>

#include <stdexcept>

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
      {[] { return 3; }, 3, ""},
  };
  for (const EndCase& end : cases) {
    testing::internal::CaptureStderr();

    const int status = run_program("x", end.body);

    EXPECT_EQ(testing::internal::GetCapturedStderr(), end.line);
    EXPECT_EQ(status, end.status);
  }
}

}  // namespace
}  // namespace ssd1b
