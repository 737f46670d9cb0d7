#pragma once

#include <cstdint>
#include <optional>

#include "service/admission/job.h"

namespace ssd1b {

/// Says when a worker that gives no sign of life hangs: after the longest of a floor, 20 times the
/// longest gap between signs so far - in proportion where a larger picture is made than any before
/// - and, for such a picture, the estimate of its whole UNet call. Pure.
class GapWatch {
 public:
  explicit GapWatch(Clock::duration floor) : floor_(floor) {}

  /// What the worker does from now on: `row_pixels` of the largest UNet call in the making, 0 while
  /// it loads. `expected_s` is the estimate of that call, 0 where there is none.
  void set_load(Clock::time_point now, std::int64_t row_pixels, double expected_s);

  /// The worker makes no picture but has orders to read: a sign is due as with its last load.
  void expect_sign(Clock::time_point now);

  /// The worker has nothing to do: it may be silent.
  void rest() { last_sign_.reset(); }

  void sign_of_life(Clock::time_point now);

  /// Nobody looked for so long until now: silence meant nothing and is not counted.
  void forgive(Clock::time_point now, Clock::duration unseen);

  /// When the worker will have hung; none while it rests.
  std::optional<Clock::time_point> hangs_at() const;

 private:
  Clock::duration floor_;
  std::optional<Clock::time_point> last_sign_;
  std::int64_t row_pixels_ = 0;
  double expected_s_ = 0.0;
  double longest_gap_s_ = 0.0;
  std::int64_t largest_seen_ = 0;  // row_pixels while a gap was measured
};

}  // namespace ssd1b
