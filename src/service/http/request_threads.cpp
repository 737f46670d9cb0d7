#include "service/http/request_threads.h"

#include <chrono>
#include <exception>
#include <thread>
#include <utility>

#include "memory/out_of_memory.h"

namespace ssd1b {
namespace {

constexpr std::chrono::seconds kIdleLife{10};

}  // namespace

RequestThreads::RequestThreads(std::size_t max_threads, bool keeps_one)
    : max_threads_(max_threads), keeps_one_(keeps_one) {
  const std::lock_guard lock(mutex_);
  if (keeps_one_) start();
}

RequestThreads::~RequestThreads() {
  std::unique_lock lock(mutex_);
  is_stopping_ = true;
  has_task_.notify_all();
  has_ended_.wait(lock, [this] { return threads_ == 0; });
}

bool RequestThreads::run(Task task) {
  std::unique_lock lock(mutex_);
  tasks_.push_back(std::move(task));
  if (tasks_.size() <= free_threads_ || threads_ >= max_threads_) {
    lock.unlock();  // whoever wakes finds the lock free
    has_task_.notify_one();
    return true;
  }
  try {
    start();
  } catch (const std::exception&) {  // no thread, or no memory for one
    if (keeps_one_) return true;
    tasks_.pop_back();
    return false;
  }
  return true;
}

/// The caller holds the mutex.
void RequestThreads::start() {
  std::thread([this] { work(); }).detach();
  ++threads_;
  ++free_threads_;
}

void RequestThreads::work() {
  const OutOfMemory waits(OutOfMemory::Means::Wait);
  std::unique_lock lock(mutex_);
  for (;;) {
    has_task_.wait_for(lock, kIdleLife, [this] { return !tasks_.empty() || is_stopping_; });
    const bool is_kept = keeps_one_ && threads_ == 1 && !is_stopping_;
    if (tasks_.empty() && is_kept) continue;
    if (tasks_.empty()) break;
    const Task task = std::move(tasks_.front());
    tasks_.pop_front();
    --free_threads_;
    lock.unlock();
    const Ending end = task();
    lock.lock();
    ++free_threads_;
    lock.unlock();
    end();
    lock.lock();
  }
  --free_threads_;
  --threads_;
  if (threads_ == 0) has_ended_.notify_all();
}

}  // namespace ssd1b
