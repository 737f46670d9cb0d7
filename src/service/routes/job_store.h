#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "service/routes/tracked_job.h"

namespace ssd1b {

/// The jobs of /v1/jobs: kept 10 minutes after their end, at most 256 and at most 1 GiB of pictures
/// (as they come from the worker, three bytes a pixel). Thread-safe.
class JobStore {
 public:
  explicit JobStore(const Dispatcher& dispatcher) : dispatcher_(dispatcher) {}

  /// Where there are too many the oldest ended ones make room; throws Refusal(QueueFull) where not
  /// enough have ended.
  std::shared_ptr<TrackedJob> add(const std::string& client, ImageRequest request);

  /// Throws Error(NotFound) where there is none (any more) or another client's.
  std::shared_ptr<TrackedJob> find(const std::string& id, const std::string& client);

  /// Another id than one of ours is no fault.
  void remove(const std::string& id);

 private:
  // With the lock held.
  void forget_old();
  void make_room(std::int64_t image_bytes);

  const Dispatcher& dispatcher_;
  std::mutex mutex_;
  std::map<std::string, std::shared_ptr<TrackedJob>> jobs_;
};

}  // namespace ssd1b
