#include "ssd1b/error.h"

#include <gtest/gtest.h>

#include <set>

namespace ssd1b {
namespace {

// Every code from the first to the last of the enumeration.
template <class Check>
void for_every_code(const Check& check) {
  for (int code = static_cast<int>(ErrorCode::InvalidJson);
       code <= static_cast<int>(ErrorCode::SystemRefused); ++code) {
    check(static_cast<ErrorCode>(code));
  }
}

TEST(ErrorCode, EveryNameLeadsBackToItsOwnCode) {
  std::set<std::string> names;

  for_every_code([&](ErrorCode code) {
    names.insert(name_of(code));
    EXPECT_EQ(error_code_of(name_of(code)), code) << name_of(code);
  });

  EXPECT_EQ(names.size(), static_cast<std::size_t>(ErrorCode::SystemRefused) + 1);
}

TEST(ErrorCode, AnotherNameIsABug) { EXPECT_THROW(error_code_of("teapot"), Error); }

TEST(ErrorCode, ExitStatusesAreThoseOfTheContract) {
  EXPECT_EQ(exit_status_of(ErrorCode::Usage), 64);
  EXPECT_EQ(exit_status_of(ErrorCode::InvalidValue), 64);
  EXPECT_EQ(exit_status_of(ErrorCode::BadModel), 65);
  EXPECT_EQ(exit_status_of(ErrorCode::NoDevice), 69);
  EXPECT_EQ(exit_status_of(ErrorCode::DeviceLost), 70);
  EXPECT_EQ(exit_status_of(ErrorCode::SystemRefused), 71);
}

}  // namespace
}  // namespace ssd1b
