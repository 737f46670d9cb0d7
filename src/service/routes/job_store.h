#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "service/metrics/metrics.h"
#include "service/routes/tracked_job.h"

namespace ssd1b {

/// The jobs of /v1/jobs: kept 10 minutes after their end, at most 256 and at most 1 GiB of pictures
/// (as they come from the worker, three bytes a pixel). Thread-safe.
class JobStore {
 public:
  /// Keeps references to both.
  JobStore(const Dispatcher& dispatcher, Metrics& metrics)
      : dispatcher_(dispatcher), metrics_(metrics) {}

  /// A job that is about to be submitted. Throws Refusal(QueueFull) where not enough of the others
  /// have ended to make room for it; they stay until it is accepted.
  std::shared_ptr<TrackedJob> add(const std::string& client, ImageRequest request);

  /// It was accepted: where there are too many the oldest other ones that have ended leave.
  void make_room_for(const TrackedJob& accepted);

  /// Throws Error(NotFound) where there is none (any more) or another client's.
  std::shared_ptr<TrackedJob> find(const std::string& id, const std::string& client);

  /// Another id than one of ours is no fault.
  void remove(const std::string& id);

 private:
  // With the lock held.
  void forget_old();
  /// Until enough of them have ended for one more of so many bytes; none where there is room.
  std::optional<double> seconds_until_room(std::int64_t image_bytes) const;

  const Dispatcher& dispatcher_;
  Metrics& metrics_;
  std::mutex mutex_;
  std::map<std::string, std::shared_ptr<TrackedJob>> jobs_;
};

}  // namespace ssd1b
