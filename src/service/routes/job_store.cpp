#include "service/routes/job_store.h"

#include <chrono>
#include <utility>

#include "service/routes/link_store.h"

namespace ssd1b {
namespace {

constexpr std::chrono::minutes kKeptAfterEnd{10};
constexpr std::size_t kMostJobs = 256;
constexpr int kRetryWhenFull_s = 5;

}  // namespace

std::shared_ptr<TrackedJob> JobStore::add(const std::string& client, ImageRequest request) {
  const std::lock_guard lock(mutex_);
  forget_old();
  if (jobs_.size() >= kMostJobs) {
    auto oldest = jobs_.end();
    for (auto each = jobs_.begin(); each != jobs_.end(); ++each) {
      const auto ended_at = each->second->ended_at();
      if (ended_at && (oldest == jobs_.end() || *ended_at < *oldest->second->ended_at())) {
        oldest = each;
      }
    }
    if (oldest == jobs_.end()) {
      throw Refusal(ErrorCode::QueueFull,
                    "at most " + std::to_string(kMostJobs) + " jobs can be kept and none has ended",
                    kRetryWhenFull_s);
    }
    jobs_.erase(oldest);
  }
  auto job = std::make_shared<TrackedJob>(random_id(), client, std::move(request), dispatcher_);
  jobs_[job->id()] = job;
  return job;
}

std::shared_ptr<TrackedJob> JobStore::find(const std::string& id, const std::string& client) {
  const std::lock_guard lock(mutex_);
  forget_old();
  const auto found = jobs_.find(id);
  if (found == jobs_.end() || found->second->client() != client) {
    throw Error(ErrorCode::NotFound,
                "there is no job of this id; jobs are kept 10 minutes after their end");
  }
  return found->second;
}

void JobStore::remove(const std::string& id) {
  const std::lock_guard lock(mutex_);
  jobs_.erase(id);
}

void JobStore::forget_old() {
  const Clock::time_point now = Clock::now();
  for (auto each = jobs_.begin(); each != jobs_.end();) {
    const auto ended_at = each->second->ended_at();
    each = ended_at && now - *ended_at >= kKeptAfterEnd ? jobs_.erase(each) : std::next(each);
  }
}

}  // namespace ssd1b
