#include "service/workers/gap_watch.h"

#include <algorithm>

namespace ssd1b {
namespace {

constexpr double kPatience = 20.0;
constexpr double kLongestLimitS = 24.0 * 3600.0;

double seconds_of(Clock::duration duration) {
  return std::chrono::duration<double>(duration).count();
}

}  // namespace

void GapWatch::set_load(Clock::time_point now, std::int64_t row_pixels, double expected_s) {
  expect_sign(now);
  row_pixels_ = row_pixels;
  expected_s_ = expected_s;
}

void GapWatch::expect_sign(Clock::time_point now) {
  if (!last_sign_) last_sign_ = now;
}

void GapWatch::sign_of_life(Clock::time_point now) {
  if (!last_sign_) return;
  // Gaps while loading say nothing of gaps while pictures are made.
  if (row_pixels_ > 0) {
    longest_gap_s_ = std::max(longest_gap_s_, seconds_of(now - *last_sign_));
    largest_seen_ = std::max(largest_seen_, row_pixels_);
  }
  last_sign_ = now;
}

void GapWatch::forgive(Clock::time_point now, Clock::duration unseen) {
  if (last_sign_) last_sign_ = std::min(now, *last_sign_ + unseen);
}

std::optional<Clock::time_point> GapWatch::hangs_at() const {
  if (!last_sign_) return std::nullopt;
  double limit_s = seconds_of(floor_);
  if (row_pixels_ > 0) {
    const bool is_larger = row_pixels_ > largest_seen_;
    const double scale = is_larger && largest_seen_ > 0
                             ? static_cast<double>(row_pixels_) / static_cast<double>(largest_seen_)
                             : 1.0;
    limit_s = std::max(limit_s, kPatience * longest_gap_s_ * scale);
    if (is_larger) limit_s = std::max(limit_s, expected_s_);
  }
  limit_s = std::min(limit_s, kLongestLimitS);
  return *last_sign_ +
         std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(limit_s));
}

}  // namespace ssd1b
