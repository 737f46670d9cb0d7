#pragma once

#include "descriptor/descriptor.h"

namespace ssd1b {

/// Wakes a thread that waits for a descriptor. Thread-safe.
class WakeUp {
 public:
  WakeUp();  // throws Error(SystemRefused)

  void wake() const;
  void clear() const;
  int fd() const { return event_.get(); }

 private:
  Descriptor event_;
};

}  // namespace ssd1b
