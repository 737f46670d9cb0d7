#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "service/routes/tracked_job.h"

namespace ssd1b {

/// The jobs of /v1/jobs: kept 10 minutes after their end, at most 256. Thread-safe.
class JobStore {
 public:
  explicit JobStore(const Dispatcher& dispatcher) : dispatcher_(dispatcher) {}

  /// Where 256 are there the oldest ended one makes room; throws Refusal(QueueFull) where none has
  /// ended.
  std::shared_ptr<TrackedJob> add(const std::string& client, ImageRequest request);

  /// Throws Error(NotFound) where there is none (any more) or another client's.
  std::shared_ptr<TrackedJob> find(const std::string& id, const std::string& client);

  /// Another id than one of ours is no fault.
  void remove(const std::string& id);

 private:
  void forget_old();  // with the lock held

  const Dispatcher& dispatcher_;
  std::mutex mutex_;
  std::map<std::string, std::shared_ptr<TrackedJob>> jobs_;
};

}  // namespace ssd1b
