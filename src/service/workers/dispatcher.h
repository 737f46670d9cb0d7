#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "options/options.h"
#include "service/admission/job.h"
#include "service/admission/refusal.h"
#include "service/metrics/metrics.h"

namespace ssd1b {

/// When to ask again for what the service cannot give before a worker is ready.
constexpr int kRetryWhenNotReadyS = 2;

/// What the service can say of its workers at one moment.
struct ServiceState {
  bool live = true;    // the control loop runs and no worker hangs
  bool ready = false;  // at least one worker can take work and we are not draining
  std::string reason;  // one line where one of them is false
  /// From the first moment a worker was ready, for ever after.
  std::shared_ptr<const ModelInfo> model;
  int queued_pictures = 0;
  int running_pictures = 0;
};

/// Where an accepted picture is.
struct QueuePlace {
  int position = 0;     // pictures that have their turn before it; 0 also where it is in the making
  double eta_ms = 0.0;  // until it is finished, as far as measurements tell; 0 where they do not
};

/// What tests change. Everybody else takes it as it is.
struct DispatcherTuning {
  std::chrono::milliseconds hang_floor{30000};  // no worker hangs before that
  std::chrono::milliseconds first_restart_delay{1000};
  std::int64_t max_queue_bytes = 256LL << 20;
  std::optional<bool> has_gpu_driver;  // absent: look for its files
};

/// The way from an accepted request to its pictures: the bounded queue, the worker processes and
/// the thread that feeds and watches them. Thread-safe.
class Dispatcher {
 public:
  /// Starts the control thread and the workers; returns at once. Keeps a reference to `metrics`.
  Dispatcher(const ServerOptions& options, Metrics& metrics, const DispatcherTuning& tuning = {});

  ~Dispatcher();  // kills what still runs; jobs that have not ended end with ShuttingDown

  ServiceState state() const;

  /// Accepts all pictures of one HTTP request or none. Does not block. Throws Error: InvalidValue
  /// for more pictures than could ever be accepted together. Throws Refusal, with the seconds after
  /// which to come back: NotReady, QueueFull, DeadlineExceeded (the wait ahead is longer than the
  /// request may take), ShuttingDown. Where one of them fails the others are cancelled; each ends
  /// at the ticket's deadline at the latest.
  std::vector<std::shared_ptr<Job>> submit(std::vector<GenerationRequest> requests,
                                           const JobTicket& ticket);

  /// Nobody waits for it any more: out of the queue, or no further unit of work.
  void cancel(Job& job, JobFault why);

  /// Decode the running picture as it is, or, where its worker has died, where it was. One that has
  /// not begun is cancelled with `if_waiting`; without that nothing happens to it.
  void finish(Job& job, const std::optional<JobFault>& if_waiting = std::nullopt);

  /// None where the job has ended.
  std::optional<QueuePlace> place_of(const Job& job) const;

  /// Not ready from now on but still accepting: for load balancers that have not noticed yet.
  void announce_drain();

  /// No new work from now on; blocks until all jobs have ended or `until` is reached, then ends the
  /// rest with ShuttingDown.
  void drain(Clock::time_point until);

  /// Set where the service cannot go on: exit status and its one line (64, 65, 69, 70).
  std::optional<Error> fatal() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace ssd1b
