#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "options/options.h"
#include "service/admission/job.h"

namespace ssd1b {

/// What the service can say of its workers at one moment.
struct ServiceState {
  bool live = true;             // the control loop runs and no worker hangs
  bool ready = false;           // at least one worker can take work and we are not draining
  std::string reason;           // one line where one of them is false
  std::optional<ModelInfo> model;  // from the first moment a worker was ready, for ever after
  int queued_pictures = 0;
  int running_pictures = 0;
};

/// The way from an accepted request to its pictures: the bounded queue, the worker processes and the
/// thread that feeds and watches them. Thread-safe.
class Dispatcher {
 public:
  /// Starts the control thread and the workers; returns at once.
  explicit Dispatcher(const ServerOptions& options);
  ~Dispatcher();  // kills what still runs

  ServiceState state() const;

  /// Accepts all pictures of one HTTP request or none. Does not block. Throws Error: NotReady,
  /// QueueFull, DeadlineExceeded (the wait ahead is longer than the request may take), ShuttingDown;
  /// Refusal carries the seconds after which to come back.
  std::vector<std::shared_ptr<Job>> submit(std::vector<GenerationRequest> requests,
                                           const JobTicket& ticket);

  /// Nobody waits for it any more: out of the queue, or no further unit of work.
  void cancel(Job& job, JobFault why);

  /// Decode the running picture as it is.
  void finish(Job& job);

  /// No new work from now on; blocks until all jobs have ended or `until` is reached, then ends the
  /// rest with ShuttingDown.
  void drain(Clock::time_point until);

  /// Set where the service cannot go on: exit status and its one line (65, 69, 70).
  std::optional<Error> fatal() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

/// A request that was not accepted now but may be later.
class Refusal : public Error {
 public:
  Refusal(ErrorCode code, const std::string& message, int retry_after_s)
      : Error(code, message), retry_after_s_(retry_after_s) {}
  int retry_after_s() const { return retry_after_s_; }

 private:
  int retry_after_s_;
};

}  // namespace ssd1b
