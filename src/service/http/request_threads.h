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

  RequestThreads() = default;
  /// Blocks until every task has returned.
  ~RequestThreads();

  /// Has a thread of its own run the task, which must not throw; never makes it wait for another
  /// task. False where the system gives no thread.
  bool run(Task task);

 private:
  void work();

  std::mutex mutex_;
  std::condition_variable has_task_;
  std::condition_variable has_ended_;
  std::deque<Task> tasks_;
  std::size_t threads_ = 0;
  std::size_t idle_threads_ = 0;
  bool is_stopping_ = false;
};

}  // namespace ssd1b
