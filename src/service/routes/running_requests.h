#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "service/workers/dispatcher.h"

namespace ssd1b {

/// One request of Automatic1111's dialect while it is answered. Thread-safe.
class RunningRequest {
 public:
  RunningRequest(std::string client, std::vector<std::shared_ptr<Job>> jobs);

  const std::string& client() const { return client_; }
  const std::vector<std::shared_ptr<Job>>& jobs() const { return jobs_; }
  std::int64_t began_at_s() const { return began_at_s_; }  // since 1970

  /// Its pictures in the making end with their next step, as they are; those that wait are not
  /// made.
  void interrupt(Dispatcher& dispatcher);

  /// Only its pictures in the making end so.
  void skip(Dispatcher& dispatcher);

  bool is_interrupted() const { return is_interrupted_; }
  bool is_skipped() const { return is_skipped_; }

 private:
  const std::string client_;
  const std::vector<std::shared_ptr<Job>> jobs_;
  const std::int64_t began_at_s_;
  std::atomic<bool> is_interrupted_{false};
  std::atomic<bool> is_skipped_{false};
};

/// The requests of Automatic1111's dialect that are being answered, of which its other routes speak
/// without naming one. Thread-safe.
class RunningRequests {
 public:
  /// It is among them until the last owner lets it go.
  std::shared_ptr<RunningRequest> add(const std::string& client,
                                      std::vector<std::shared_ptr<Job>> jobs);

  /// Those of one client, the oldest first.
  std::vector<std::shared_ptr<RunningRequest>> of(const std::string& client);

 private:
  std::mutex mutex_;
  std::vector<std::weak_ptr<RunningRequest>> requests_;
};

}  // namespace ssd1b
