#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <utility>

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

  /// From now on SIGHUP calls it, wherever signals are waited for.
  void on_hang_up(std::function<void()> act) { hang_up_ = std::move(act); }

  /// Blocks until SIGTERM or SIGINT has come or the time is over.
  std::optional<int> wait(std::chrono::milliseconds longest) const;

 private:
  std::optional<int> next(std::chrono::milliseconds longest) const;

  int descriptor_;
  std::function<void()> hang_up_ = [] {};
};

}  // namespace ssd1b
