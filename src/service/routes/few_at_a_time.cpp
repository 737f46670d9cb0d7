#include "service/routes/few_at_a_time.h"

#include <chrono>

namespace ssd1b {
namespace {

constexpr std::chrono::milliseconds kCheckEvery{25};

/// Gives the place back however the work ends.
class Place {
 public:
  Place(std::mutex& mutex, std::condition_variable& has_place, int& free,
        const std::function<void()>& check)
      : mutex_(mutex), has_place_(has_place), free_(free) {
    std::unique_lock lock(mutex_);
    while (!has_place_.wait_for(lock, kCheckEvery, [&] { return free_ > 0; })) {
      lock.unlock();
      check();
      lock.lock();
    }
    --free_;
  }
  ~Place() {
    {
      const std::lock_guard lock(mutex_);
      ++free_;
    }
    has_place_.notify_one();
  }
  Place(const Place&) = delete;
  Place& operator=(const Place&) = delete;

 private:
  std::mutex& mutex_;
  std::condition_variable& has_place_;
  int& free_;
};

}  // namespace

void FewAtATime::run(const std::function<void()>& check, const std::function<void()>& work) {
  const Place place(mutex_, has_place_, free_, check);
  check();
  work();
}

}  // namespace ssd1b
