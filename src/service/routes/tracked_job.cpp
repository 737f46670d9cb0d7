#include "service/routes/tracked_job.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "logging/log.h"
#include "service/dialects/write_json.h"
#include "service/image_files/picture_settings.h"
#include "service/routes/make_pictures.h"

namespace ssd1b {
namespace {

const char* name_of(JobState state) {
  switch (state) {
    case JobState::Queued:
      return "queued";
    case JobState::Running:
      return "running";
    case JobState::Succeeded:
      return "succeeded";
    case JobState::Failed:
      return "failed";
    case JobState::Cancelled:
      return "cancelled";
  }
  return "queued";
}

Json seconds_json(const std::optional<std::chrono::system_clock::time_point>& time) {
  if (!time) return nullptr;
  return std::chrono::duration<double>(time->time_since_epoch()).count();
}

Json request_json(const ImageRequest& request) {
  Json json = Json::parse(picture_settings(request.pictures.front(), /*model=*/""));
  json.erase("model");  // a request does not name it
  json["num_images"] = request.pictures.size();
  json["previews"] = request.pictures.front().previews;
  return json;
}

/// What the pictures of one request are together.
struct Together {
  bool all_ended = true;
  bool any_started = false;
  bool any_failed = false;
  bool any_cancelled = false;
  int step = 0;
  int steps = 0;
};

Together together(const std::vector<std::shared_ptr<Job>>& jobs) {
  Together all;
  for (const std::shared_ptr<Job>& job : jobs) {
    const JobStatus status = job->status();
    all.all_ended = all.all_ended && has_ended(status.state);
    all.any_started = all.any_started || status.has_started;
    all.any_failed = all.any_failed || status.state == JobState::Failed;
    all.any_cancelled = all.any_cancelled || status.state == JobState::Cancelled;
    all.step += status.step;
    all.steps += status.steps;
  }
  return all;
}

JobState state_of(const Together& all) {
  if (!all.all_ended) return all.any_started ? JobState::Running : JobState::Queued;
  if (all.any_failed) return JobState::Failed;
  return all.any_cancelled ? JobState::Cancelled : JobState::Succeeded;
}

/// What ended the job: a failed picture's fault before a cancelled one's.
std::optional<JobFault> fault_of(const std::vector<std::shared_ptr<Job>>& jobs) {
  std::optional<JobFault> fault;
  for (const std::shared_ptr<Job>& job : jobs) {
    if (job->status().state == JobState::Succeeded) continue;  // its picture is not to be moved out
    auto result = job->take_result();
    if (auto* each = std::get_if<JobFault>(&result)) {
      if (!fault || fault->code == ErrorCode::Cancelled) fault = *each;
    }
  }
  return fault;
}

std::int64_t whole_ms(const QueuePlace& place) {
  return static_cast<std::int64_t>(std::ceil(place.eta_ms));
}

}  // namespace

TrackedJob::TrackedJob(std::string id, std::string client, ImageRequest request,
                       const Dispatcher& dispatcher)
    : id_(std::move(id)),
      client_(std::move(client)),
      request_(std::move(request)),
      dispatcher_(dispatcher),
      created_at_(std::chrono::system_clock::now()) {}

void TrackedJob::follow(std::vector<std::shared_ptr<Job>> jobs, std::shared_ptr<void> key_place) {
  {
    const std::lock_guard lock(mutex_);
    jobs_ = jobs;
    key_place_ = std::move(key_place);
    const QueuePlace place = place_locked();
    add_event("queued", {{"position", place.position}, {"eta_ms", whole_ms(place)}});
  }
  const std::weak_ptr<TrackedJob> weak = weak_from_this();
  for (const std::shared_ptr<Job>& job : jobs) {
    job->on_change([weak] {
      if (const std::shared_ptr<TrackedJob> self = weak.lock()) self->update();
    });
  }
}

void TrackedJob::update() {
  const std::lock_guard lock(mutex_);
  if (has_ended(state_)) return;
  const Together all = together(jobs_);
  const bool has_advanced = all.step > step_;
  state_ = state_of(all);
  step_ = std::max(step_, all.step);
  steps_ = std::max(steps_, all.steps);
  if (state_ != JobState::Queued && !started_at_ && all.any_started) {
    started_at_ = std::chrono::system_clock::now();
  }
  if (has_advanced) {
    add_event("step", {{"step", step_}, {"steps", steps_}, {"eta_ms", whole_ms(place_locked())}});
  }
  add_previews_locked();
  if (!has_ended(state_)) return;
  ended_at_ = Clock::now();
  key_place_.reset();  // before anybody hears of the end
  finished_at_ = std::chrono::system_clock::now();
  if (state_ != JobState::Succeeded) fault_ = fault_of(jobs_);
  if (state_ == JobState::Failed) log_locked();
  add_event(name_of(state_), document_locked());
}

void TrackedJob::add_event(const std::string& name, const Json& data) {
  events_.push_back({events_.size() + 1, name, json_text(data)});
  changed_.notify_all();
}

void TrackedJob::add_previews_locked() {
  for (std::size_t i = 0; i < jobs_.size(); ++i) {
    for (PicturePreview& each : jobs_[i]->take_previews(/*until=*/{})) {
      events_.push_back({events_.size() + 1, "preview", "",
                         std::make_shared<const JobPreview>(JobPreview{i, std::move(each)})});
      changed_.notify_all();
    }
  }
}

/// Nobody's connection waits for the job: only here its fault meets the log.
void TrackedJob::log_locked() const {
  const JobTicket& ticket = jobs_.front()->ticket();
  const auto log = status_of(fault_->code) == 500 ? log_error : log_info;
  log("job failed", {{"request_id", ticket.request_id},
                     {"traceparent", ticket.traceparent},
                     {"job", id_},
                     {"code", name_of(fault_->code)},
                     {"reason", fault_->message}});
}

QueuePlace TrackedJob::place_locked() const {
  QueuePlace place;
  bool is_first = true;
  for (const std::shared_ptr<Job>& job : jobs_) {
    const std::optional<QueuePlace> each = dispatcher_.place_of(*job);
    if (!each) continue;
    place.position = is_first ? each->position : std::min(place.position, each->position);
    place.eta_ms = std::max(place.eta_ms, each->eta_ms);
    is_first = false;
  }
  return place;
}

Json TrackedJob::document_locked() const {
  Json document = {{"id", id_},
                   {"status", name_of(state_)},
                   {"created_at", seconds_json(created_at_)},
                   {"started_at", seconds_json(started_at_)},
                   {"finished_at", seconds_json(finished_at_)},
                   {"position", nullptr},
                   {"eta_ms", nullptr},
                   {"step", step_},
                   {"steps", steps_},
                   {"request", request_json(request_)},
                   {"error", nullptr}};
  if (!has_ended(state_)) {
    const QueuePlace place = place_locked();
    document["position"] = place.position;
    document["eta_ms"] = whole_ms(place);
  }
  if (fault_) {
    // The request that asked for the job, not the one that asks about it.
    const HttpReply reply =
        error_reply(Error(fault_->code, fault_->message), jobs_.front()->ticket().request_id);
    document["error"] = parse_json(reply.body)["error"];
  }
  return document;
}

Json TrackedJob::document() const {
  const std::lock_guard lock(mutex_);
  return document_locked();
}

std::optional<Clock::time_point> TrackedJob::ended_at() const {
  const std::lock_guard lock(mutex_);
  return ended_at_;
}

std::vector<std::shared_ptr<Job>> TrackedJob::pictures() const {
  const std::lock_guard lock(mutex_);
  return jobs_;
}

double TrackedJob::seconds_left() const {
  const std::lock_guard lock(mutex_);
  return place_locked().eta_ms / 1000.0;
}

std::uint64_t TrackedJob::last_event_id() const {
  const std::lock_guard lock(mutex_);
  return events_.size();
}

std::vector<JobEvent> TrackedJob::events_after(std::uint64_t id, Clock::time_point until) const {
  std::unique_lock lock(mutex_);
  changed_.wait_until(lock, until, [&] { return events_.size() > id || has_ended(state_); });
  if (events_.size() <= id) return {};
  return {events_.begin() + static_cast<std::ptrdiff_t>(id), events_.end()};
}

HttpReply TrackedJob::answer(
    const std::function<HttpReply(std::vector<GeneratedImage>&)>& make) const {
  {
    const std::lock_guard lock(mutex_);
    if (!has_ended(state_)) {
      throw Error(ErrorCode::NotFinished,
                  std::string("the job must have ended, it is ") + name_of(state_));
    }
    if (state_ == JobState::Cancelled) {
      throw Error(ErrorCode::NotFound, "the job was cancelled: it has no picture");
    }
    if (fault_) throw_fault(*fault_);
  }
  const std::lock_guard lock(answer_mutex_);
  if (!answer_) {
    pictures_made_.reserve(jobs_.size());  // before any is taken: none is lost
    for (std::size_t i = pictures_made_.size(); i < jobs_.size(); ++i) {
      auto result = jobs_[i]->take_result();
      pictures_made_.push_back(std::move(std::get<GeneratedImage>(result)));
    }
    answer_ = make(pictures_made_);
    pictures_made_.clear();
  }
  return *answer_;
}

}  // namespace ssd1b
