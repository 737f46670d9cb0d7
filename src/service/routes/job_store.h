#pragma once

#include <chrono>
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
  static constexpr std::chrono::minutes kKeptAfterEnd{10};

  /// Keeps references to both.
  JobStore(const Dispatcher& dispatcher, Metrics& metrics,
           std::chrono::milliseconds kept_after_end = kKeptAfterEnd)
      : dispatcher_(dispatcher), metrics_(metrics), kept_after_end_(kept_after_end) {}

  /// A job that is about to be submitted. Throws Refusal(QueueFull) where not enough of the others
  /// have ended to make room for it; they stay until it is accepted.
  std::shared_ptr<TrackedJob> add(const std::string& client, ImageRequest request);

  /// It was accepted: where there are too many the oldest other ones that have ended leave.
  void make_room_for(const TrackedJob& accepted);

  /// Throws Error(NotFound) where there is none (any more) or another client's.
  std::shared_ptr<TrackedJob> find(const std::string& id, const std::string& client);

  /// Another id than one of ours is no fault.
  void remove(const std::string& id);

  /// Lets go of those whose time is up. add() and find() do too; this is for quiet times.
  void forget_old();

 private:
  // With the lock held.
  void drop_old();
  /// Until enough of them have ended for one more of so many bytes; none where there is room.
  std::optional<double> seconds_until_room(std::int64_t image_bytes) const;

  const Dispatcher& dispatcher_;
  Metrics& metrics_;
  const std::chrono::milliseconds kept_after_end_;
  std::mutex mutex_;
  std::map<std::string, std::shared_ptr<TrackedJob>> jobs_;
};

}  // namespace ssd1b
