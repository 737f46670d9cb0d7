#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "service/admission/job.h"
#include "service/dialects/image_request.h"
#include "service/dialects/json_text.h"
#include "service/http/http.h"
#include "service/workers/dispatcher.h"

namespace ssd1b {

/// How far one of a job's pictures is.
struct JobPreview {
  std::size_t index = 0;  // of the picture
  PicturePreview picture;
};

/// One server-sent event of a job.
struct JobEvent {
  std::uint64_t id = 0;  // 1, 2, ...
  std::string name;      // queued, step, preview, succeeded, failed, cancelled
  std::string data;      // JSON; of a preview empty, as its image file is made by who sends it
  std::shared_ptr<const JobPreview> preview = nullptr;
};

/// A request for pictures that nobody waits for on its connection: its state, its events so far
/// and, once it has ended, its answer. Thread-safe.
class TrackedJob : public std::enable_shared_from_this<TrackedJob> {
 public:
  /// Asks `dispatcher`, which outlives it, for the job's place.
  TrackedJob(std::string id, std::string client, ImageRequest request,
             const Dispatcher& dispatcher);

  const std::string& id() const { return id_; }
  const std::string& client() const { return client_; }
  const ImageRequest& request() const { return request_; }

  /// The accepted pictures, whose changes become events from now on, and the place of their key's
  /// concurrency, which the job gives back when it ends. Called once.
  void follow(std::vector<std::shared_ptr<Job>> jobs, std::shared_ptr<void> key_place = nullptr);

  /// {"id", "status", "created_at", "started_at", "finished_at", "step", "steps", "request",
  /// "error", "position", "eta_ms"}.
  Json document() const;

  /// Absent while it has not ended.
  std::optional<Clock::time_point> ended_at() const;
  std::vector<std::shared_ptr<Job>> pictures() const;

  /// Until it has ended, as far as measurements tell; 0 where they do not.
  double seconds_left() const;

  std::uint64_t last_event_id() const;

  /// The events with greater ids than `id`. Blocks until there are some, the job has ended, or
  /// `until` is reached.
  std::vector<JobEvent> events_after(std::uint64_t id, Clock::time_point until) const;

  /// The answer that /generate-image would have given. `make` is called once, or until it throws
  /// no more: it leaves the pictures as they are. Throws what it throws, and Error: NotFinished,
  /// NotFound for a cancelled job, a failed job's own fault.
  HttpReply answer(const std::function<HttpReply(std::vector<GeneratedImage>&)>& make) const;

 private:
  void update();
  void add_event(const std::string& name, const Json& data);  // with the lock held
  void add_previews_locked();
  Json document_locked() const;
  QueuePlace place_locked() const;
  void log_locked() const;

  const std::string id_;
  const std::string client_;
  const ImageRequest request_;
  const Dispatcher& dispatcher_;
  const std::chrono::system_clock::time_point created_at_;

  mutable std::mutex mutex_;
  mutable std::condition_variable changed_;
  std::vector<std::shared_ptr<Job>> jobs_;
  std::shared_ptr<void> key_place_;
  JobState state_ = JobState::Queued;
  int step_ = 0;
  int steps_ = 0;
  std::optional<std::chrono::system_clock::time_point> started_at_;
  std::optional<std::chrono::system_clock::time_point> finished_at_;
  std::optional<Clock::time_point> ended_at_;
  std::optional<JobFault> fault_;
  std::vector<JobEvent> events_;

  mutable std::mutex answer_mutex_;                    // held while the image files are encoded
  mutable std::vector<GeneratedImage> pictures_made_;  // until there is an answer
  mutable std::optional<HttpReply> answer_;
};

}  // namespace ssd1b
