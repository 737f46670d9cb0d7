#include "service/http/descriptor_budget.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

namespace ssd1b {
namespace {

TEST(DescriptorBudget, CountsRefusedConnectionsTheManagementPortAndTheRest) {
  EXPECT_EQ(connections_within(1000 + 125 + 256 + 32 + 48, 1000, 256), 1000);
  EXPECT_EQ(connections_within(1000 + 125 + 256 + 32 + 47, 1000, 256), 999);
  EXPECT_EQ(connections_within(1000 + 125 + 48, 1000, 0), 1000);
  EXPECT_EQ(connections_within(64, 2048, 0), 14);  // and one that is refused
}

TEST(DescriptorBudget, LeavesTheMainPortAFewConnectionsHoweverFewDescriptorsThereAre) {
  EXPECT_EQ(connections_within(64, 2048, 256), 8);
  EXPECT_EQ(connections_within(64, 3, 256), 3);
}

TEST(DescriptorBudget, RaisesTheSoftLimitAsFarAsNeeded) {
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
  if (before.rlim_max < 200) GTEST_SKIP() << "the system allows no 200 descriptors";
  const rlimit low{100, before.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &low), 0);

  const int fit = connections_that_fit(80, 16);

  rlimit raised{};
  getrlimit(RLIMIT_NOFILE, &raised);
  setrlimit(RLIMIT_NOFILE, &before);
  EXPECT_EQ(fit, 80);
  EXPECT_EQ(raised.rlim_cur, 80u + 10 + 16 + 2 + 48);
}

}  // namespace
}  // namespace ssd1b
