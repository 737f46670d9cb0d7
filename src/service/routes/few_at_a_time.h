#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>

namespace ssd1b {

/// Lets only so many threads at a time do what keeps a core busy: more of them would not be done
/// sooner, and would delay health and every other reply. Thread-safe.
class FewAtATime {
 public:
  explicit FewAtATime(int most) : free_(most) {}

  /// Does the work on this thread, once there is a place. Blocks; meanwhile, and before the work,
  /// calls `check`, which throws where nobody wants the work any more. Passes on what either
  /// throws.
  void run(const std::function<void()>& check, const std::function<void()>& work);

 private:
  std::mutex mutex_;
  std::condition_variable has_place_;
  int free_;
};

}  // namespace ssd1b
