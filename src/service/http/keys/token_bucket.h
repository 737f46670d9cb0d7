#pragma once

#include <chrono>

namespace ssd1b {

/// So many at once, and so many a second after that. Used under its owner's lock.
class TokenBucket {
 public:
  using Clock = std::chrono::steady_clock;

  TokenBucket(double rate_per_s, double burst);

  /// Whether a token is there.
  bool has_token(Clock::time_point now);
  /// Takes one; call it where has_token() is true.
  void take() { tokens_ -= 1; }
  /// Whole seconds until the next token, at least 1.
  int wait_s() const;
  /// Nothing was taken lately: the bucket is as good as new.
  bool is_full(Clock::time_point now);

 private:
  void refill(Clock::time_point now);

  double rate_per_s_;
  double burst_;
  double tokens_;
  Clock::time_point filled_at_{};
};

}  // namespace ssd1b
