#pragma once

namespace ssd1b {

/// Wakes a thread that waits in poll(). Thread-safe.
class WakeUp {
 public:
  WakeUp();  // throws Error(SystemRefused)
  ~WakeUp();
  WakeUp(const WakeUp&) = delete;
  WakeUp& operator=(const WakeUp&) = delete;

  void wake() const;
  void clear() const;
  int descriptor() const { return event_; }

 private:
  int event_;
};

}  // namespace ssd1b
