#pragma once

#include <chrono>
#include <optional>

namespace ssd1b {

/// SIGTERM, SIGINT and SIGHUP as values. Made by the main thread before any other thread is but the
/// log's, which blocks all signals by itself: threads (and worker processes: a Ctrl-C at the
/// terminal must not end them before the server has drained) take over which signals are blocked.
/// Used by the main thread only.
class Signals {
 public:
  Signals();
  ~Signals();
  Signals(const Signals&) = delete;
  Signals& operator=(const Signals&) = delete;

  /// Blocks until a signal has come or the time is over.
  std::optional<int> wait(std::chrono::milliseconds longest) const;

  /// Blocks as long, but for SIGTERM and SIGINT only.
  std::optional<int> wait_for_end(std::chrono::milliseconds longest) const;

 private:
  int descriptor_;
};

}  // namespace ssd1b
