#include "memory/out_of_memory.h"

#include <gtest/gtest.h>

#include <new>
#include <thread>

namespace ssd1b {
namespace {

/// What `new` asks where malloc has nothing: whether it is to try again.
bool tries_again() {
  try {
    std::get_new_handler()();
    return true;
  } catch (const std::bad_alloc&) {
    return false;
  }
}

TEST(OutOfMemory, InnerMeaningsGoBeforeOuterOnes) {
  const OutOfMemory outer(OutOfMemory::Means::Wait);
  EXPECT_TRUE(tries_again());
  {
    const OutOfMemory inner(OutOfMemory::Means::Fail);
    EXPECT_FALSE(tries_again());
  }
  EXPECT_TRUE(tries_again());
}

TEST(OutOfMemory, IsAThreadsOwn) {
  const OutOfMemory here(OutOfMemory::Means::Wait);
  bool waits_there = true;

  std::thread([&] { waits_there = tries_again(); }).join();

  EXPECT_FALSE(waits_there);
}

}  // namespace
}  // namespace ssd1b
