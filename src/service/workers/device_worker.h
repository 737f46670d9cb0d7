#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "service/metrics/metrics.h"
#include "service/workers/child_process.h"
#include "service/workers/gap_watch.h"
#include "service/workers/restart_policy.h"
#include "wire/channel.h"
#include "wire/messages.h"

namespace ssd1b {

/// How a worker process has ended.
struct WorkerEnd {
  RestartReason reason = RestartReason::Crash;
  ErrorCode code = ErrorCode::WorkerCrashed;  // of its last message, or what its status says
  std::string text;                           // one line
};

/// The worker of one device through its lives: one process after another, each with its channel. It
/// knows processes and silence; what pictures they make is the desk's affair. Used with
/// the control loop's lock held.
class DeviceWorker {
 public:
  enum class Phase {
    Down,      // no process: one is to be started at starts_at()
    Starting,  // it loads the model
    Ready,     // it takes work
    Ending,    // it is lost, but its process has not been reaped
    LeftOut,   // it will not be started again
  };

  struct Program {
    std::filesystem::path path;
    std::vector<std::string> arguments;  // besides --fd
  };
  struct Timing {
    Clock::duration hang_floor;
    Clock::duration first_restart_delay;
  };

  DeviceWorker(std::string device, Program program, const Timing& timing);

  const std::string& device() const { return device_; }
  Phase phase() const { return phase_; }
  bool has_ever_been_ready() const { return has_ever_been_ready_; }
  bool is_hopeless() const { return policy_.is_hopeless(); }
  bool is_hanging() const;  // it was given up as hung and has not been replaced
  std::int64_t memory_bytes() const { return process_ ? process_->memory_bytes() : 0; }

  Clock::time_point starts_at() const { return starts_at_; }
  /// Down -> Starting. Throws nothing: where the system refuses a process another try follows
  /// a second later. That says nothing of the worker and does not count as a failed start.
  void start(Clock::time_point now);

  void send(ServerMessage message);
  /// Writes what waits; a peer that is gone shows in receive().
  void flush();

  /// Descriptor to poll; -1 without a process.
  int descriptor() const { return channel_ ? channel_->descriptor() : -1; }
  bool has_unsent() const { return channel_ && channel_->has_unsent(); }
  bool has_unread() const { return channel_ && channel_->has_unread(); }

  /// What it has said. A garbled frame or the end of the stream makes it Ending. Keeps Ready and
  /// Fatal in mind itself and returns them too.
  std::vector<WorkerMessage> receive(Clock::time_point now);
  /// Ends a process that says what cannot be.
  void end_as_garbled(Clock::time_point now, const std::string& what);

  GapWatch& watch() { return watch_; }
  /// Ends it where it has been silent for too long; whether it was.
  bool end_if_hung(Clock::time_point now);

  /// Ending -> Down (or still Ending): how it ended, once its process is gone.
  std::optional<WorkerEnd> try_reap(Clock::time_point now);

  void leave_out();

 private:
  void look_whether_it_reads(Clock::time_point now);
  void begin_end(Clock::time_point now, std::optional<RestartReason> reason, bool is_to_be_killed);
  WorkerEnd describe(const ExitStatus& status) const;

  const std::string device_;
  const Program program_;
  const Clock::duration hang_floor_;
  GapWatch watch_;  // of this process
  RestartPolicy policy_;
  Phase phase_ = Phase::Down;
  bool has_ever_been_ready_ = false;
  bool was_ready_ = false;  // this process
  std::int64_t bytes_read_ = 0;
  Clock::time_point starts_at_;
  Clock::time_point killed_at_;  // Ending: a process that lingers is killed then
  std::unique_ptr<ChildProcess> process_;
  std::unique_ptr<Channel> channel_;
  std::optional<FatalMessage> last_words_;
  std::optional<RestartReason> ended_for_;  // where we ended it
};

}  // namespace ssd1b
