// What connections ask of the desk; desk_feed.cpp has what the control thread does.
#include "service/workers/desk.h"

#include <algorithm>
#include <utility>

#include "memory/out_of_memory.h"

namespace ssd1b {
namespace {

constexpr int kPositionsAreGoodForMs = 50;

std::int64_t memory_of(const GenerationRequest& request) {
  const std::size_t texts = request.prompt.size() + request.scheduler.size() +
                            request.negative_prompt.value_or("").size();
  return static_cast<std::int64_t>(sizeof(Accepted) + sizeof(Job) + texts);
}

}  // namespace

Desk::Desk(const Limits& limits, Metrics& metrics, std::function<void()> wake)
    : limits_(limits), metrics_(metrics), wake_(std::move(wake)) {}

void Desk::refuse(ErrorCode code, const std::string& message, double seconds,
                  std::size_t pictures) const {
  metrics_.count_refused(name_of(code), static_cast<int>(pictures));
  throw Refusal(code, message, retry_after_of(seconds));
}

std::vector<std::shared_ptr<Job>> Desk::submit(std::vector<GenerationRequest> requests,
                                               const JobTicket& ticket) {
  std::vector<std::shared_ptr<Job>> jobs;
  {
    const std::lock_guard lock(mutex_);
    if (is_closed_ || fatal_) {
      refuse(ErrorCode::ShuttingDown, "the server is shutting down", 1, requests.size());
    }
    if (!model_) {
      refuse(ErrorCode::NotReady, "the model is still being loaded", kRetryWhenNotReadyS,
             requests.size());
    }
    std::vector<Accepted> pictures;
    for (GenerationRequest& request : requests) {
      check_request(request, *model_);
      Accepted accepted;
      accepted.first_of_request = next_id_;
      accepted.pictures_of_request = static_cast<int>(requests.size());
      accepted.work = work_of(request, *model_);
      accepted.bytes = memory_of(request);
      accepted.accepted_at = Clock::now();
      accepted.job = std::make_shared<Job>(next_id_ + pictures.size(), std::move(request), ticket);
      pictures.push_back(std::move(accepted));
    }
    check_capacity(pictures, ticket);
    const OutOfMemory waits(OutOfMemory::Means::Wait);  // all or none
    next_id_ += pictures.size();
    metrics_.count_accepted(static_cast<int>(pictures.size()));
    for (Accepted& accepted : pictures) {
      jobs.push_back(accepted.job);
      backlog_.add(std::move(accepted));
    }
    show_counts();
  }
  wake_();
  return jobs;
}

void Desk::check_capacity(const std::vector<Accepted>& pictures, const JobTicket& ticket) const {
  const int wanted = static_cast<int>(pictures.size());
  const int capacity = limits_.queue_size + places();
  if (wanted > capacity) {
    throw Error(ErrorCode::InvalidValue,
                ticket.count_field + " must be at most " + std::to_string(capacity) +
                    ", as many as this server can hold at a time, got " + std::to_string(wanted),
                ticket.count_field);
  }
  std::int64_t bytes = backlog_.queued_bytes();
  for (const Accepted& each : pictures) bytes += each.bytes;
  const int excess = backlog_.queued() + backlog_.running() + wanted - capacity;
  if (excess > 0 || bytes > limits_.max_queue_bytes) {
    refuse(ErrorCode::QueueFull, "the queue is full", outlook().seconds_until(std::max(excess, 1)),
           pictures.size());
  }
  const double left_s = std::chrono::duration<double>(ticket.deadline - Clock::now()).count();
  // The sum over the whole queue is cheap; who comes first is looked at only where it matters.
  double wait_s = outlook().seconds_until_start();
  if (wait_s > left_s) wait_s = outlook_of(ticket.client).seconds_until_start();
  if (wait_s > left_s || left_s <= 0.0) {
    refuse(ErrorCode::DeadlineExceeded,
           "the wait ahead is longer than the request may take (timeout_ms)", wait_s - left_s,
           pictures.size());
  }
}

int Desk::places() const {
  int places = 0;
  for (const Seat& seat : seats_) places += seat.is_left_out ? 0 : seat.places;
  return places;
}

double Desk::shared_seconds(const std::function<double(std::size_t seat)>& alone) const {
  // Devices share the queue: their speeds add up. One that was not measured yet does not count.
  double speed = 0.0;
  for (std::size_t i = 0; i < seats_.size(); ++i) {
    const double seconds = seats_[i].is_left_out ? 0.0 : alone(i);
    if (seconds > 0.0) speed += 1.0 / seconds;
  }
  return speed > 0.0 ? 1.0 / speed : 0.0;
}

double Desk::held_seconds(int worker) const {
  double seconds = 0.0;
  for (const PictureId id : backlog_.held_by(worker)) {
    const Accepted& accepted = *backlog_.find(id);
    seconds += seats_[worker].estimate.seconds_of(accepted.work, accepted.calls_left());
  }
  return seconds;
}

double Desk::running_seconds() const {
  double seconds = 0.0;
  int devices = 0;
  for (std::size_t i = 0; i < seats_.size(); ++i) {
    if (seats_[i].is_left_out) continue;
    seconds += held_seconds(static_cast<int>(i));
    ++devices;
  }
  return devices > 0 ? seconds / devices : 0.0;
}

Outlook Desk::outlook() const {
  Outlook outlook;
  outlook.places = places();
  outlook.pictures = backlog_.queued() + backlog_.running();
  outlook.seconds = running_seconds() + shared_seconds([&](std::size_t i) {
                      return backlog_.queued_work().seconds(seats_[i].estimate);
                    });
  return outlook;
}

Outlook Desk::outlook_of(const std::string& client) const {
  WorkSum ahead;
  Outlook outlook;
  outlook.places = places();
  outlook.pictures = backlog_.running();
  backlog_.queue().visit_ahead_of(client, [&](const FairQueue::Item& item) {
    ahead.add(item.work);
    ++outlook.pictures;
  });
  outlook.seconds = running_seconds() + shared_seconds([&](std::size_t i) {
                      return ahead.seconds(seats_[i].estimate);
                    });
  return outlook;
}

void Desk::cancel(const Job& job, const JobFault& why) {
  const OutOfMemory waits(OutOfMemory::Means::Wait);
  Notices notices;
  {
    const std::lock_guard lock(mutex_);
    if (!backlog_.find(job.id())) return;  // it has ended already
    fail(job.id(), why, notices);
  }
  wake_();
}

void Desk::finish(const Job& job, const std::optional<JobFault>& if_waiting) {
  const OutOfMemory waits(OutOfMemory::Means::Wait);
  Notices notices;
  {
    const std::lock_guard lock(mutex_);
    Accepted* accepted = backlog_.find(job.id());
    if (!accepted) return;
    if (!accepted->started_at) {
      if (if_waiting) fail(job.id(), *if_waiting, notices);
      return;
    }
    if (!accepted->worker) {
      // Its worker died: what is made again is decoded where its client has seen it last.
      if (!accepted->finish_at) accepted->finish_at = job.status().step;
      return;
    }
    // It was asked for already: a client may ask as often as it likes.
    if (accepted->finish_at && *accepted->finish_at <= accepted->calls_done) return;
    accepted->finish_at = accepted->calls_done;
    orders_.push_back({*accepted->worker, FinishMessage{job.id()}});
  }
  wake_();
}

std::optional<QueuePlace> Desk::place_of(const Job& job) const {
  const std::lock_guard lock(mutex_);
  const Accepted* accepted = backlog_.find(job.id());
  if (!accepted) return std::nullopt;
  if (accepted->worker) return QueuePlace{0, 1000.0 * held_seconds(*accepted->worker)};
  const auto now = Clock::now();
  const auto known = positions_.places.find(job.id());
  if (now < positions_.valid_until && known != positions_.places.end()) return known->second;
  positions_.places.clear();
  positions_.valid_until = now + std::chrono::milliseconds(kPositionsAreGoodForMs);
  int position = 0;
  std::vector<double> so_far_s(seats_.size(), 0.0);  // of each device alone
  const double running_s = running_seconds();
  for (const PictureId id : backlog_.queue().in_order(backlog_.queue().size())) {
    const Work& work = backlog_.find(id)->work;
    for (std::size_t i = 0; i < seats_.size(); ++i) {
      so_far_s[i] += seats_[i].estimate.seconds_of(work, work.unet_calls);
    }
    const double queue_s = shared_seconds([&](std::size_t i) { return so_far_s[i]; });
    positions_.places[id] = {position++, 1000.0 * (running_s + queue_s)};
  }
  return positions_.places.at(job.id());
}

ServiceState Desk::state() const {
  const std::lock_guard lock(mutex_);
  ServiceState state;
  state.model = model_;
  state.queued_pictures = backlog_.queued();
  state.running_pictures = backlog_.running();
  const bool is_any_up =
      std::any_of(seats_.begin(), seats_.end(), [](const Seat& seat) { return seat.is_ready; });
  state.ready = is_any_up && !is_drain_announced_ && !is_closed_ && !fatal_;
  if (fatal_) {
    state.reason = fatal_->what();
  } else if (is_closed_ || is_drain_announced_) {
    state.reason = "the server is shutting down";
  } else if (!is_any_up) {
    state.reason = model_ ? "the worker is being restarted" : "the model is being loaded";
  }
  return state;
}

std::optional<Error> Desk::fatal() const {
  const std::lock_guard lock(mutex_);
  return fatal_;
}

void Desk::announce_drain() {
  const std::lock_guard lock(mutex_);
  is_drain_announced_ = true;
}

void Desk::close() {
  const std::lock_guard lock(mutex_);
  is_closed_ = true;
}

bool Desk::wait_until_empty(Clock::time_point until) {
  std::unique_lock lock(mutex_);
  return has_emptied_.wait_until(lock, until, [&] { return backlog_.empty(); });
}

void Desk::end_all(const JobFault& why) {
  const OutOfMemory waits(OutOfMemory::Means::Wait);
  Notices notices;
  {
    const std::lock_guard lock(mutex_);
    fail_all(why, notices);
  }
  wake_();
}

}  // namespace ssd1b
