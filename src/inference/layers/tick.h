#pragma once

#include <functional>

namespace ssd1b {

/// Called by a network after each of its blocks: the sign of life of long calls. May be empty.
using Tick = std::function<void()>;

/// Calls it where there is one.
inline void tick_once(const Tick& tick) {
  if (tick) tick();
}

}  // namespace ssd1b
