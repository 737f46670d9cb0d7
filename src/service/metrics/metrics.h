#pragma once

#include <cstdint>
#include <memory>
#include <string>

namespace ssd1b {

/// How an accepted picture has ended.
enum class Outcome { Succeeded, Failed, Cancelled, Expired, RefusedAtShutdown };

/// Where a picture's time goes.
enum class Stage { Queue, TextEncoder, Denoise, Vae, Encode };

/// Why a worker process was replaced.
enum class RestartReason { Crash, Killed, Hung, OutOfMemory, DeviceLost, Protocol };

/// Where a picture was when nobody waited for it any more.
enum class CancelledState { Queued, Running };

/// The name of a reason in the label `reason`, as `device_lost`.
const char* name_of(RestartReason reason);

/// Connections of clients; all but `open` since the start.
struct ConnectionCounts {
  int open = 0;
  std::uint64_t accepted = 0;
  std::uint64_t refused = 0;  // for their number
  std::uint64_t evicted = 0;  // idle ones that made room
};

/// What the service counts, and the only place where it does. Thread-safe. The http room's hooks
/// count requests and connections, the dispatcher everything about pictures and workers, the routes
/// the stage `encode` and the jobs that they refuse themselves.
class Metrics {
 public:
  Metrics();
  ~Metrics();
  Metrics(const Metrics&) = delete;
  Metrics& operator=(const Metrics&) = delete;

  /// All series in Prometheus' text format (version 0.0.4). No text of a request is in it.
  std::string text() const;

  /// `ssd1b_build_info{version,commit} 1`.
  void set_build_info(const std::string& version, const std::string& commit);

  /// One answered request. `route` is the pattern of the route table, not what the client sent.
  void count_request(const std::string& route, int status, double seconds);

  void set_connections(const ConnectionCounts& counts);
  /// So many failures of accept() with this errno since the start.
  void set_accept_errors(int error, std::uint64_t count);

  void count_accepted(int pictures);
  /// Pictures that were not accepted, by the error's code: queue_full, deadline_exceeded, ...
  void count_refused(const std::string& code, int pictures);
  void count_ended(Outcome outcome);
  void count_cancelled(CancelledState state);
  void observe_queue_wait(double seconds);
  void observe_stage(Stage stage, double seconds);
  void count_step();                 // a picture's UNet call
  void observe_batch(int pictures);  // that shared one UNet call
  void count_out_of_memory();        // pictures for which a device's memory ran out
  void count_remade();               // pictures begun again after a worker's death
  void count_restart(const std::string& device, RestartReason reason);

  void set_queue(int queued_pictures, int running_pictures, std::int64_t queued_bytes);
  void set_worker(const std::string& device, bool is_ready, std::int64_t memory_bytes);

  /// So many log records were lost since the start.
  void set_dropped_log_records(std::uint64_t count);

 private:
  struct Series;
  std::unique_ptr<Series> series_;
};

}  // namespace ssd1b
