#include "descriptor/wake_up.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <string>

#include "ssd1b/error.h"

namespace ssd1b {

WakeUp::WakeUp() : event_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  if (!event_.is_open()) {
    throw Error(ErrorCode::SystemRefused,
                std::string("no descriptor for an event: ") + std::strerror(errno));
  }
}

void WakeUp::wake() const {
  const std::uint64_t one = 1;
  // The only failure is a full counter: then the thread wakes all the same.
  [[maybe_unused]] const ssize_t written = write(event_.get(), &one, sizeof one);
}

void WakeUp::clear() const {
  std::uint64_t count = 0;
  [[maybe_unused]] const ssize_t got = read(event_.get(), &count, sizeof count);
}

}  // namespace ssd1b
