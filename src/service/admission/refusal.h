#pragma once

#include <string>

#include "ssd1b/error.h"

namespace ssd1b {

/// A request that was not accepted now but may be later.
class Refusal : public Error {
 public:
  Refusal(ErrorCode code, const std::string& message, int retry_after_s)
      : Error(code, message), retry_after_s_(retry_after_s) {}

  /// Whole seconds after which to come back; at least 1.
  int retry_after_s() const { return retry_after_s_; }

 private:
  int retry_after_s_;
};

}  // namespace ssd1b
