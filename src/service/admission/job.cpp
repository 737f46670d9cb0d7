#include "service/admission/job.h"

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <utility>

namespace ssd1b {

bool has_ended(JobState state) {
  switch (state) {
    case JobState::Queued:
    case JobState::Running:
      return false;
    case JobState::Succeeded:
    case JobState::Failed:
    case JobState::Cancelled:
      return true;
  }
  return true;
}

struct Job::State {
  mutable std::mutex mutex;
  mutable std::condition_variable ended;
  std::condition_variable has_news;  // a preview, or it has ended
  JobStatus status;
  std::vector<PicturePreview> previews;
  int last_preview_step = 0;
  std::variant<GeneratedImage, JobFault> result;
  bool has_changed = false;
  std::function<void()> on_change;

  /// Applies a change to a job that has not ended and tells those who wait or watch; whether it
  /// did.
  template <typename Change>
  bool apply(Change change) {
    std::function<void()> tell;
    bool is_over = false;
    {
      const std::lock_guard lock(mutex);
      if (has_ended(status.state)) return false;
      change();
      has_changed = true;
      is_over = has_ended(status.state);
      tell = on_change;
    }
    if (is_over) ended.notify_all();  // whoever waits finds the lock free
    has_news.notify_all();
    if (tell) tell();
    return true;
  }
};

Job::Job(PictureId id, GenerationRequest request, JobTicket ticket)
    : id_(id),
      request_(std::move(request)),
      ticket_(std::move(ticket)),
      state_(std::make_unique<State>()) {
  state_->status.steps = request_.steps;
}

Job::~Job() = default;

JobStatus Job::status() const {
  const std::lock_guard lock(state_->mutex);
  return state_->status;
}

bool Job::wait_until(Clock::time_point until) const {
  std::unique_lock lock(state_->mutex);
  return state_->ended.wait_until(lock, until, [&] { return has_ended(state_->status.state); });
}

std::vector<PicturePreview> Job::take_previews(Clock::time_point until) {
  std::unique_lock lock(state_->mutex);
  state_->has_news.wait_until(
      lock, until, [&] { return !state_->previews.empty() || has_ended(state_->status.state); });
  return std::exchange(state_->previews, {});
}

std::variant<GeneratedImage, JobFault> Job::take_result() {
  const std::lock_guard lock(state_->mutex);
  return std::move(state_->result);
}

bool Job::start() {
  return state_->apply([&] {
    state_->status.state = JobState::Running;
    state_->status.has_started = true;
  });
}

bool Job::progress(int step, int steps) {
  return state_->apply([&] {
    // A picture made again begins at 0: its client has seen more and sees nothing until it is
    // there.
    state_->status.step = std::max(state_->status.step, step);
    state_->status.steps = steps;
  });
}

bool Job::preview(PicturePreview preview) {
  return state_->apply([&] {
    if (preview.step <= state_->last_preview_step) return;  // of a picture that is made again
    state_->last_preview_step = preview.step;
    state_->previews.push_back(std::move(preview));
  });
}

bool Job::succeed(GeneratedImage image) {
  return state_->apply([&] {
    state_->status.state = JobState::Succeeded;
    state_->result = std::move(image);
  });
}

bool Job::fail(JobFault fault) {
  return state_->apply([&] {
    state_->status.state = JobState::Failed;
    state_->result = std::move(fault);
  });
}

bool Job::cancel(JobFault fault) {
  return state_->apply([&] {
    state_->status.state = JobState::Cancelled;
    state_->result = std::move(fault);
  });
}

void Job::on_change(std::function<void()> on_change) {
  bool has_changed = false;
  {
    const std::lock_guard lock(state_->mutex);
    state_->on_change = on_change;
    has_changed = state_->has_changed;
  }
  if (has_changed && on_change) on_change();
}

}  // namespace ssd1b
