#include "cores/cores.h"

#include <gtest/gtest.h>
#include <sched.h>

#include <thread>

namespace ssd1b {
namespace {

TEST(UsableCores, AreNoMoreThanTheThreadMayRunOn) {
  cpu_set_t allowed;
  ASSERT_EQ(sched_getaffinity(0, sizeof allowed, &allowed), 0);
  EXPECT_GE(usable_cores(), 1);
  EXPECT_LE(usable_cores(), CPU_COUNT(&allowed));
}

TEST(UsableCores, AreOneWhereTheAffinityIsOne) {
  int found = 0;
  std::thread([&found] {  // the affinity is the thread's own
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(sched_getcpu(), &one);
    ASSERT_EQ(sched_setaffinity(0, sizeof one, &one), 0);
    found = usable_cores();
  })
      .join();

  EXPECT_EQ(found, 1);
}

}  // namespace
}  // namespace ssd1b
