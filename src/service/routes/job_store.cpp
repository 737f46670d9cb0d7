#include "service/routes/job_store.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "service/admission/wait_estimate.h"
#include "service/http/random_id.h"

namespace ssd1b {
namespace {

constexpr std::size_t kMostJobs = 256;
constexpr std::int64_t kMostImageBytes = std::int64_t{1} << 30;

/// What its pictures and their previews take before they are image files.
std::int64_t image_bytes_of(const ImageRequest& request) {
  std::int64_t bytes = 0;
  for (const GenerationRequest& each : request.pictures) {
    bytes += std::int64_t{3} * each.width_px * each.height_px * (1 + each.previews);
  }
  return bytes;
}

}  // namespace

std::shared_ptr<TrackedJob> JobStore::add(const std::string& client, ImageRequest request) {
  const std::lock_guard lock(mutex_);
  drop_old();
  if (const auto seconds = seconds_until_room(image_bytes_of(request))) {
    metrics_.count_refused(name_of(ErrorCode::QueueFull),
                           static_cast<int>(request.pictures.size()));
    throw Refusal(ErrorCode::QueueFull, "as many jobs as can be kept have not ended yet",
                  retry_after_of(*seconds));
  }
  auto job = std::make_shared<TrackedJob>(random_id(), client, std::move(request), dispatcher_);
  jobs_[job->id()] = job;
  return job;
}

std::shared_ptr<TrackedJob> JobStore::find(const std::string& id, const std::string& client) {
  const std::lock_guard lock(mutex_);
  drop_old();
  const auto found = jobs_.find(id);
  if (found == jobs_.end() || found->second->client() != client) {
    throw Error(ErrorCode::NotFound,
                "there is no job of this id; jobs are kept 10 minutes after their end, the oldest "
                "shorter where others need the room");
  }
  return found->second;
}

void JobStore::remove(const std::string& id) {
  const std::lock_guard lock(mutex_);
  jobs_.erase(id);
}

void JobStore::make_room_for(const TrackedJob& accepted) {
  const std::lock_guard lock(mutex_);
  std::int64_t bytes = 0;
  for (const auto& [id, job] : jobs_) bytes += image_bytes_of(job->request());
  while (jobs_.size() > kMostJobs || bytes > kMostImageBytes) {
    auto oldest = jobs_.end();
    for (auto each = jobs_.begin(); each != jobs_.end(); ++each) {
      const auto ended_at = each->second->ended_at();
      if (!ended_at || each->second.get() == &accepted) continue;
      if (oldest == jobs_.end() || *ended_at < *oldest->second->ended_at()) oldest = each;
    }
    if (oldest == jobs_.end()) return;
    bytes -= image_bytes_of(oldest->second->request());
    jobs_.erase(oldest);
  }
}

std::optional<double> JobStore::seconds_until_room(std::int64_t image_bytes) const {
  std::vector<std::shared_ptr<TrackedJob>> unended;
  std::int64_t bytes = image_bytes;
  for (const auto& [id, job] : jobs_) {
    if (job->ended_at()) continue;
    unended.push_back(job);
    bytes += image_bytes_of(job->request());
  }
  std::size_t left = unended.size();
  if (left < kMostJobs && bytes <= kMostImageBytes) return std::nullopt;
  std::vector<std::pair<double, std::int64_t>> ends;  // in seconds, and the bytes it makes free
  for (const auto& job : unended) {
    ends.emplace_back(job->seconds_left(), image_bytes_of(job->request()));
  }
  std::sort(ends.begin(), ends.end());
  std::optional<double> seconds;
  for (const auto& [ends_in_s, freed] : ends) {
    if (left < kMostJobs && bytes <= kMostImageBytes) break;
    seconds = ends_in_s;
    bytes -= freed;
    --left;
  }
  return seconds;  // none where the request alone is larger: it may be the only one
}

void JobStore::forget_old() {
  const std::lock_guard lock(mutex_);
  drop_old();
}

void JobStore::drop_old() {
  const Clock::time_point now = Clock::now();
  for (auto each = jobs_.begin(); each != jobs_.end();) {
    const auto ended_at = each->second->ended_at();
    each = ended_at && now - *ended_at >= kept_after_end_ ? jobs_.erase(each) : std::next(each);
  }
}

}  // namespace ssd1b
