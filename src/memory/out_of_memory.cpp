#include "memory/out_of_memory.h"

#include <chrono>
#include <new>
#include <thread>
#include <utility>

namespace ssd1b {
namespace {

constexpr std::chrono::milliseconds kPause{1};

thread_local OutOfMemory::Means means_here = OutOfMemory::Means::Fail;

/// `new` calls it, then tries again.
void on_no_memory() {
  if (means_here == OutOfMemory::Means::Fail) throw std::bad_alloc();
  std::this_thread::sleep_for(kPause);
}

}  // namespace

OutOfMemory::OutOfMemory(Means means) : outer_(std::exchange(means_here, means)) {
  [[maybe_unused]] static const auto before = std::set_new_handler(on_no_memory);
}

OutOfMemory::~OutOfMemory() { means_here = outer_; }

}  // namespace ssd1b
