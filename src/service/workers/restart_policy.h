#pragma once

#include <algorithm>

#include "service/admission/job.h"

namespace ssd1b {

/// When a worker that has ended is started again: at once the first time, then after 1, 2, 4, ...
/// 60 units of `first_delay` while it does not become ready. Pure.
class RestartPolicy {
 public:
  static constexpr int kMaxFailures = 5;
  static constexpr int kLongestDelay = 60;

  explicit RestartPolicy(Clock::duration first_delay) : first_delay_(first_delay) {}

  void became_ready() { failures_ = 0; }

  /// It ended without having become ready.
  void failed() { ++failures_; }

  /// Whether it failed so often in a row that the service may give up.
  bool is_hopeless() const { return failures_ >= kMaxFailures; }

  Clock::duration delay() const {
    if (failures_ <= 1) return Clock::duration::zero();
    const int doublings = std::min(failures_ - 2, 6);
    return first_delay_ * std::min(1 << doublings, kLongestDelay);
  }

 private:
  Clock::duration first_delay_;
  int failures_ = 0;
};

}  // namespace ssd1b
