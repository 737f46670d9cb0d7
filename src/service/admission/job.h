#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "ssd1b/engine.h"

namespace ssd1b {

using Clock = std::chrono::steady_clock;

enum class JobState { Queued, Running, Succeeded, Failed, Cancelled };

bool has_ended(JobState state);

/// Who asks and until when; the same for all pictures of one HTTP request.
struct JobTicket {
  std::string request_id;  // X-Request-Id
  std::string client;      // the key's name; empty where no key is asked for
  Clock::time_point deadline;
  std::string count_field = "num_images";  // what the request calls the number of its pictures
  std::string traceparent{};               // as the client sent it; empty where it sent none
};

/// Why a job ended without a picture.
struct JobFault {
  ErrorCode code = ErrorCode::InternalError;
  std::string message;
  int retry_after_s = 0;  // 0: the client has nothing to gain from waiting
};

/// How far a job is; a copy, taken under the job's lock.
struct JobStatus {
  JobState state = JobState::Queued;
  int step = 0;
  int steps = 0;
  bool has_started = false;  // stays so where it is made again
};

/// One picture from its acceptance to its one answer. Thread-safe. The connection that waits for it
/// and the dispatcher share it; whichever comes first ends it, and it ends once.
class Job {
 public:
  Job(PictureId id, GenerationRequest request, JobTicket ticket);
  ~Job();

  PictureId id() const { return id_; }
  const GenerationRequest& request() const { return request_; }
  const JobTicket& ticket() const { return ticket_; }

  JobStatus status() const;

  /// Blocks until the job has ended or `until` is reached; whether it has ended.
  bool wait_until(Clock::time_point until) const;

  /// The previews that nobody has taken yet, moved out. Blocks until there is one, the job has
  /// ended or `until` is reached.
  std::vector<PicturePreview> take_previews(Clock::time_point until);

  /// The picture of a Succeeded job, moved out: call it once. The fault of any other ended job.
  std::variant<GeneratedImage, JobFault> take_result();

  /// Called by the dispatcher. Each returns false where the job has ended already.
  bool start();                          // Queued -> Running; again after a worker's death
  bool progress(int step, int steps);    // never backwards
  bool preview(PicturePreview preview);  // dropped where one of its step was there already
  bool succeed(GeneratedImage image);
  bool fail(JobFault fault);
  bool cancel(JobFault fault);  // -> Cancelled

  /// `on_change` is called after every change, without the job's lock, on the thread that changes
  /// it; it must not block. Called once at once where the job has changed already.
  void on_change(std::function<void()> on_change);

 private:
  struct State;
  const PictureId id_;
  const GenerationRequest request_;
  const JobTicket ticket_;
  std::unique_ptr<State> state_;
};

}  // namespace ssd1b
