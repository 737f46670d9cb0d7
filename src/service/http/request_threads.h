#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>

namespace ssd1b {

/// Threads that answer requests: as many as there are requests at a time, started when they are
/// needed and ended when idle for a while. Thread-safe.
class RequestThreads {
 public:
  /// What a task does last, when its thread counts as free again: whoever it tells may bring the
  /// next task at once, which then needs no further thread.
  using Ending = std::function<void()>;
  using Task = std::function<Ending()>;

  /// `max_threads`: as many as there can be requests at a time. `keeps_one`: one is started at once
  /// and never ends, so that there is one when the system gives none. Throws std::system_error
  /// where it gives none now.
  explicit RequestThreads(std::size_t max_threads, bool keeps_one = false);
  /// Blocks until every task and its ending have returned.
  ~RequestThreads();

  /// Has a thread of its own run the task, which must not throw, nor its ending. Where the system
  /// gives none the task waits for the one that is kept; false where none is.
  bool run(Task task);

 private:
  void start();
  void work();

  const std::size_t max_threads_;
  const bool keeps_one_;
  std::mutex mutex_;
  std::condition_variable has_task_;
  std::condition_variable has_ended_;
  std::deque<Task> tasks_;
  std::size_t threads_ = 0;
  std::size_t free_threads_ = 0;  // also those that begin, or end a task
  bool is_stopping_ = false;
};

}  // namespace ssd1b
