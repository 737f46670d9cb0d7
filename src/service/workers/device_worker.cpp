#include "service/workers/device_worker.h"

#include <unistd.h>

#include <csignal>
#include <utility>

#include "descriptor/descriptor.h"
#include "logging/log.h"

namespace ssd1b {
namespace {

/// A process whose stream has ended gets that long to exit: a GPU's memory takes a while to free.
constexpr std::chrono::seconds kLingering{3};
/// A system that has no descriptor or no process to give may have one soon.
constexpr std::chrono::seconds kRetryRefused{1};

RestartReason reason_of(const std::optional<FatalMessage>& last_words, const ExitStatus& status) {
  if (last_words && last_words->code == ErrorCode::OutOfMemory) return RestartReason::OutOfMemory;
  if (last_words && last_words->code == ErrorCode::DeviceLost) return RestartReason::DeviceLost;
  return status.signal == SIGKILL ? RestartReason::Killed : RestartReason::Crash;
}

/// What a status says where the worker itself said nothing.
ErrorCode code_of(const ExitStatus& status) {
  if (status.signal) return ErrorCode::WorkerCrashed;
  for (const ErrorCode code : {ErrorCode::Usage, ErrorCode::BadModel, ErrorCode::NoDevice}) {
    if (status.status == exit_status_of(code)) return code;
  }
  return ErrorCode::WorkerCrashed;
}

}  // namespace

DeviceWorker::DeviceWorker(std::string device, Program program, const Timing& timing)
    : device_(std::move(device)),
      program_(std::move(program)),
      hang_floor_(timing.hang_floor),
      watch_(hang_floor_),
      policy_(timing.first_restart_delay) {}

bool DeviceWorker::is_hanging() const {
  return phase_ == Phase::Ending && ended_for_ == RestartReason::Hung;
}

void DeviceWorker::start(Clock::time_point now) {
  was_ready_ = false;
  bytes_read_ = 0;
  last_words_.reset();
  ended_for_.reset();
  try {
    const auto [ours, theirs] = make_socket_pair();
    const Descriptor closes_theirs(theirs);  // the child has its own copy
    channel_ = std::make_unique<Channel>(ours);
    std::vector<std::string> arguments = {"--fd", std::to_string(ChildProcess::kSocket)};
    arguments.insert(arguments.end(), program_.arguments.begin(), program_.arguments.end());
    ChildDescriptors descriptors;
    descriptors.socket = theirs;
    process_ = std::make_unique<ChildProcess>(program_.path, arguments, descriptors);
  } catch (const Error& error) {
    log_error("worker was not started", {{"device", device_}, {"reason", error.what()}});
    channel_.reset();
    starts_at_ = now + kRetryRefused;
    return;
  }
  phase_ = Phase::Starting;
  watch_ = GapWatch(hang_floor_);
  watch_.set_load(now, /*row_pixels=*/0, /*expected_s=*/0.0);
  log_info("worker started", {{"device", device_}, {"pid", process_->pid()}});
}

void DeviceWorker::send(ServerMessage message) {
  if (channel_) channel_->send(encode(std::move(message)));
}

void DeviceWorker::flush() {
  if (channel_) channel_->flush();
}

std::vector<WorkerMessage> DeviceWorker::receive(Clock::time_point now) {
  std::vector<WorkerMessage> messages;
  if (!channel_) return messages;
  try {
    Channel::Received received = channel_->receive();
    for (Frame& frame : received.frames) {
      messages.push_back(decode_worker_message(std::move(frame)));
      if (std::holds_alternative<ReadyMessage>(messages.back()) && phase_ == Phase::Starting) {
        phase_ = Phase::Ready;
        was_ready_ = has_ever_been_ready_ = true;
        policy_.became_ready();
        watch_.rest();
      }
      if (const auto* fatal = std::get_if<FatalMessage>(&messages.back())) last_words_ = *fatal;
    }
    if (!received.frames.empty()) watch_.sign_of_life(now);
    if (received.is_closed) begin_end(now, std::nullopt, /*is_to_be_killed=*/false);
  } catch (const Error& error) {
    end_as_garbled(now, error.what());
  }
  return messages;
}

void DeviceWorker::end_as_garbled(Clock::time_point now, const std::string& what) {
  log_error("worker ended: its messages are garbled", {{"device", device_}, {"reason", what}});
  begin_end(now, RestartReason::Protocol, /*is_to_be_killed=*/true);
}

/// A model may come from a slow disk, and the libraries too, before the first line of the program
/// has run: as long as it reads it does not hang.
void DeviceWorker::look_whether_it_reads(Clock::time_point now) {
  const std::int64_t bytes_read = process_->bytes_read();
  if (bytes_read > bytes_read_) watch_.sign_of_life(now);
  bytes_read_ = bytes_read;
}

bool DeviceWorker::end_if_hung(Clock::time_point now) {
  if (phase_ != Phase::Starting && phase_ != Phase::Ready) return false;
  if (phase_ == Phase::Starting) look_whether_it_reads(now);
  const std::optional<Clock::time_point> hangs_at = watch_.hangs_at();
  if (!hangs_at || now < *hangs_at) return false;
  log_error("worker ended: it hangs", {{"device", device_}, {"pid", process_->pid()}});
  begin_end(now, RestartReason::Hung, /*is_to_be_killed=*/true);
  return true;
}

void DeviceWorker::begin_end(Clock::time_point now, std::optional<RestartReason> reason,
                             bool is_to_be_killed) {
  phase_ = Phase::Ending;
  ended_for_ = reason;
  channel_.reset();
  watch_.rest();
  killed_at_ = now + kLingering;
  if (is_to_be_killed) process_->kill();
}

std::optional<WorkerEnd> DeviceWorker::try_reap(Clock::time_point now) {
  if (phase_ != Phase::Ending) return std::nullopt;
  const std::optional<ExitStatus> status = process_->try_reap();
  if (!status) {
    if (now >= killed_at_) process_->kill();
    return std::nullopt;
  }
  const WorkerEnd end = describe(*status);
  process_.reset();
  if (!was_ready_) policy_.failed();
  phase_ = Phase::Down;
  starts_at_ = now + policy_.delay();
  return end;
}

WorkerEnd DeviceWorker::describe(const ExitStatus& status) const {
  WorkerEnd end;
  end.reason = ended_for_.value_or(reason_of(last_words_, status));
  end.code = last_words_ ? last_words_->code : code_of(status);
  if (last_words_) {
    end.text = last_words_->message;
  } else if (ended_for_ == RestartReason::Hung) {
    end.text = "it gave no sign of life";
  } else {
    end.text = "it ended with " + status.text();
  }
  return end;
}

void DeviceWorker::leave_out() { phase_ = Phase::LeftOut; }

}  // namespace ssd1b
