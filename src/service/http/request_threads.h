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
  using Task = std::function<void()>;

  /// `max_threads`: as many as there can be requests at a time; more would only be on their way
  /// from one request to the next.
  explicit RequestThreads(std::size_t max_threads) : max_threads_(max_threads) {}
  /// Blocks until every task has returned.
  ~RequestThreads();

  /// Has a thread of its own run the task, which must not throw. False where the system gives no
  /// thread.
  bool run(Task task);

 private:
  void work();

  const std::size_t max_threads_;
  std::mutex mutex_;
  std::condition_variable has_task_;
  std::condition_variable has_ended_;
  std::deque<Task> tasks_;
  std::size_t threads_ = 0;
  std::size_t idle_threads_ = 0;
  bool is_stopping_ = false;
};

}  // namespace ssd1b
