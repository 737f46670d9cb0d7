#include "service/http/keys/token_bucket.h"

#include <algorithm>
#include <cmath>

namespace ssd1b {

TokenBucket::TokenBucket(double rate_per_s, double burst)
    : rate_per_s_(rate_per_s), burst_(burst), tokens_(burst) {}

void TokenBucket::refill(Clock::time_point now) {
  const double passed_s = std::chrono::duration<double>(now - filled_at_).count();
  tokens_ = std::min(burst_, tokens_ + std::max(0.0, passed_s) * rate_per_s_);
  filled_at_ = now;
}

bool TokenBucket::has_token(Clock::time_point now) {
  refill(now);
  return tokens_ >= 1 - 1e-9;  // ten tenths of a token are one
}

int TokenBucket::wait_s() const {
  const double seconds = std::ceil((1 - tokens_) / rate_per_s_);
  return static_cast<int>(std::clamp(seconds, 1.0, 1e6));
}

bool TokenBucket::is_full(Clock::time_point now) {
  refill(now);
  return tokens_ >= burst_;
}

}  // namespace ssd1b
