#include "service/routes/job_store.h"

#include <chrono>
#include <utility>

#include "service/routes/link_store.h"

namespace ssd1b {
namespace {

constexpr std::chrono::minutes kKeptAfterEnd{10};
constexpr std::size_t kMostJobs = 256;
constexpr std::int64_t kMostImageBytes = std::int64_t{1} << 30;
constexpr int kRetryWhenFull_s = 5;

/// What its pictures take before they are image files.
std::int64_t image_bytes_of(const ImageRequest& request) {
  std::int64_t bytes = 0;
  for (const GenerationRequest& each : request.pictures) {
    bytes += std::int64_t{3} * each.width_px * each.height_px;
  }
  return bytes;
}

}  // namespace

std::shared_ptr<TrackedJob> JobStore::add(const std::string& client, ImageRequest request) {
  const std::lock_guard lock(mutex_);
  forget_old();
  make_room(image_bytes_of(request));
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

void JobStore::make_room(std::int64_t image_bytes) {
  std::int64_t bytes = image_bytes;
  for (const auto& [id, job] : jobs_) bytes += image_bytes_of(job->request());
  while (jobs_.size() >= kMostJobs || (bytes > kMostImageBytes && !jobs_.empty())) {
    auto oldest = jobs_.end();
    for (auto each = jobs_.begin(); each != jobs_.end(); ++each) {
      const auto ended_at = each->second->ended_at();
      if (ended_at && (oldest == jobs_.end() || *ended_at < *oldest->second->ended_at())) {
        oldest = each;
      }
    }
    if (oldest == jobs_.end()) {
      throw Refusal(ErrorCode::QueueFull, "as many jobs as can be kept have not ended yet",
                    kRetryWhenFull_s);
    }
    bytes -= image_bytes_of(oldest->second->request());
    jobs_.erase(oldest);
  }
}

void JobStore::forget_old() {
  const Clock::time_point now = Clock::now();
  for (auto each = jobs_.begin(); each != jobs_.end();) {
    const auto ended_at = each->second->ended_at();
    each = ended_at && now - *ended_at >= kKeptAfterEnd ? jobs_.erase(each) : std::next(each);
  }
}

}  // namespace ssd1b
