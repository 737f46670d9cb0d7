#pragma once

#include <atomic>
#include <string>

namespace ssd1b {

/// Writes lines to a descriptor that others may leave unread, close or share, without ever being
/// caught in a write. Lines are written by one thread; give_up_soon may be called by any.
class PatientWriter {
 public:
  explicit PatientWriter(int descriptor) : descriptor_(descriptor) {}

  /// Blocks until the line (which ends in a newline) is written; false where it could not be: the
  /// descriptor is closed or failing, or the time after give_up_soon is over.
  bool write(const std::string& line);

  /// From now on all further writes together may wait for at most `wait_ms`.
  void give_up_soon(int wait_ms);

 private:
  bool wait_until_writable();

  const int descriptor_;
  std::atomic<int> patience_ms_{-1};  // negative: endless
  bool is_line_open_ = false;         // a line was given up in its middle
};

}  // namespace ssd1b
