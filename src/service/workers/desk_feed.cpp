// What the control thread does at the desk, and the one place where pictures end.
#include <algorithm>
#include <limits>
#include <tuple>
#include <utility>

#include "service/workers/desk.h"

namespace ssd1b {
namespace {

/// How many pictures of the queue are looked at where there are several devices.
constexpr std::size_t kLookAhead = 32;

double seconds_between(Clock::time_point from, Clock::time_point to) {
  return std::chrono::duration<double>(to - from).count();
}

Outcome outcome_of(ErrorCode code) {
  if (code == ErrorCode::Cancelled) return Outcome::Cancelled;
  if (code == ErrorCode::DeadlineExceeded) return Outcome::Expired;
  if (code == ErrorCode::ShuttingDown) return Outcome::RefusedAtShutdown;
  return Outcome::Failed;
}

bool has_size_of(const GenerationRequest& request, const Image& image) {
  return image.width_px == request.width_px && image.height_px == request.height_px;
}

bool is_of(const GenerationRequest& request, const GeneratedImage& result) {
  return result.seed == request.seed && has_size_of(request, result.image);
}

}  // namespace

void Desk::add_device(const std::string& device) {
  const std::lock_guard lock(mutex_);
  Seat seat;
  seat.device = device;
  seats_.push_back(std::move(seat));
}

void Desk::worker_is_ready(int worker, const ModelInfo& model) {
  const std::lock_guard lock(mutex_);
  seats_[worker].is_ready = true;
  seats_[worker].places = model.max_pictures;
  if (!model_) model_ = std::make_shared<const ModelInfo>(model);
}

void Desk::worker_is_down(int worker) {
  Notices notices;
  const std::lock_guard lock(mutex_);
  seats_[worker].is_ready = false;
  const std::set<PictureId> held = backlog_.held_by(worker);
  for (const PictureId id : held) {
    Accepted* accepted = backlog_.find(id);
    if (!accepted) continue;  // it has ended with another one
    // From its second making on a picture runs alone: who dies then, dies of it.
    if (++accepted->deaths > 1) {
      fail(id, {ErrorCode::WorkerCrashed, "the worker crashed twice while it made this picture", 0},
           notices);
    } else {
      metrics_.count_remade();
      backlog_.put_back(id);
    }
  }
}

void Desk::worker_is_left_out(int worker) {
  const std::lock_guard lock(mutex_);
  seats_[worker].is_left_out = true;
}

bool Desk::is_any_ready() const {
  const std::lock_guard lock(mutex_);
  return std::any_of(seats_.begin(), seats_.end(), [](const Seat& seat) { return seat.is_ready; });
}

void Desk::set_fatal(const Error& error) {
  Notices notices;
  const std::lock_guard lock(mutex_);
  if (!fatal_) fatal_ = error;
  fail_all({ErrorCode::ShuttingDown, "the server cannot go on and is shutting down", 1}, notices);
}

void Desk::expire(Clock::time_point now) {
  Notices notices;
  const std::lock_guard lock(mutex_);
  for (const PictureId id : backlog_.expired(now)) {
    fail(id,
         {ErrorCode::DeadlineExceeded,
          "the request was not answered within its timeout (timeout_ms)", 0},
         notices);
  }
}

std::optional<Clock::time_point> Desk::next_deadline() const {
  const std::lock_guard lock(mutex_);
  return backlog_.next_deadline();
}

std::vector<Order> Desk::take_orders(const std::set<int>& behind) {
  Notices notices;
  const std::lock_guard lock(mutex_);
  for (std::size_t i = 0; i < seats_.size(); ++i) {
    seats_[i].is_behind = behind.count(static_cast<int>(i)) > 0;
  }
  while (place_one(notices)) {
  }
  show_counts();
  return std::exchange(orders_, {});
}

bool Desk::place_one(Notices& notices) {
  const auto ready =
      std::count_if(seats_.begin(), seats_.end(), [](const Seat& seat) { return seat.is_ready; });
  if (ready == 0) return false;
  std::vector<double> extra(seats_.size(), 0.0);  // seconds of pictures that wait for this device
  std::vector<bool> is_reserved(seats_.size(), false);
  for (const PictureId id : backlog_.queue().in_order(ready > 1 ? kLookAhead : 1)) {
    const Accepted& accepted = *backlog_.find(id);
    const std::optional<int> worker = best_worker(accepted, extra);
    if (!worker) return false;
    if (!is_reserved[*worker] && is_free_for(*worker, accepted)) {
      give(id, *worker, notices);
      return true;
    }
    // It is done soonest where it has to wait for a place; later ones must not take that place.
    is_reserved[*worker] = true;
    extra[*worker] += seats_[*worker].estimate.seconds_of(accepted.work, accepted.work.unet_calls);
  }
  return false;
}

bool Desk::is_free_for(int worker, const Accepted& accepted) const {
  const std::set<PictureId>& held = backlog_.held_by(worker);
  if (accepted.must_run_alone) return held.empty();
  return static_cast<int>(held.size()) < seats_[worker].places &&
         std::none_of(held.begin(), held.end(),
                      [&](PictureId id) { return backlog_.find(id)->must_run_alone; });
}

std::optional<int> Desk::best_worker(const Accepted& accepted,
                                     const std::vector<double>& extra) const {
  std::optional<int> best;
  std::tuple<double, std::size_t> best_key;
  for (std::size_t i = 0; i < seats_.size(); ++i) {
    const int worker = static_cast<int>(i);
    const Seat& seat = seats_[i];
    if (!seat.is_ready || seat.is_behind) continue;
    double done_in_s = held_seconds(worker) + extra[i] +
                       seat.estimate.seconds_of(accepted.work, accepted.work.unet_calls);
    const bool is_measured = seat.estimate.seconds_of_call(1).has_value();
    // A device that was never measured is worth a try, but not worth waiting for.
    if (!is_measured && !is_free_for(worker, accepted)) {
      done_in_s = std::numeric_limits<double>::max();
    }
    const std::tuple key(done_in_s, backlog_.held_by(worker).size());
    if (!best || key < best_key) {
      best = worker;
      best_key = key;
    }
  }
  return best;
}

void Desk::give(PictureId id, int worker, Notices& notices) {
  backlog_.take(id, worker);
  Accepted& accepted = *backlog_.find(id);
  if (!accepted.started_at) {
    accepted.started_at = Clock::now();
    metrics_.observe_queue_wait(seconds_between(accepted.accepted_at, *accepted.started_at));
  }
  notices.started(accepted.job);
  orders_.push_back({worker, AdmitMessage{id, accepted.job->request()}});
}

WorkerLoad Desk::load_of(int worker) const {
  const std::lock_guard lock(mutex_);
  WorkerLoad load;
  for (const PictureId id : backlog_.held_by(worker)) {
    const Work& work = backlog_.find(id)->work;
    ++load.pictures;
    load.row_pixels = std::max(load.row_pixels, work.rows * work.latent_pixels);
  }
  load.expected_s = seats_[worker].estimate.seconds_of_call(load.row_pixels).value_or(0.0);
  return load;
}

Accepted* Desk::find_held(PictureId id, int worker) {
  Accepted* accepted = backlog_.find(id);
  return accepted && accepted->worker == worker ? accepted : nullptr;
}

void Desk::handle(int worker, const ProgressMessage& message) {
  Notices notices;
  const std::lock_guard lock(mutex_);
  metrics_.count_step();
  if (message.leads_unit) metrics_.observe_batch(message.unit_pictures);
  Accepted* accepted = find_held(message.id, worker);
  if (!accepted) return;  // it was cancelled while this was on its way
  const Work& work = accepted->work;
  seats_[worker].estimate.observe_call(work.rows * work.latent_pixels,
                                       message.unit_ms / 1000.0 / message.unit_pictures);
  accepted->calls_done = message.progress.step;
  // A picture that is made again is decoded where it was to be decoded the first time.
  if (accepted->finish_at && accepted->calls_done >= *accepted->finish_at) {
    orders_.push_back({worker, FinishMessage{message.id}});
  }
  notices.progressed(accepted->job, message.progress);
}

bool Desk::handle(int worker, PreviewMessage message) {
  Notices notices;
  const std::lock_guard lock(mutex_);
  const Accepted* accepted = find_held(message.id, worker);
  if (!accepted) return true;
  const GenerationRequest& request = accepted->job->request();
  if (!has_size_of(request, message.preview.image) || request.previews == 0) return false;
  notices.previewed(accepted->job, std::move(message.preview));
  return true;
}

bool Desk::handle(int worker, FinishedMessage message) {
  Notices notices;
  const std::lock_guard lock(mutex_);
  Accepted* accepted = find_held(message.id, worker);
  if (!accepted) return true;
  if (!is_of(accepted->job->request(), message.result)) return false;
  StageTimings& timings = message.result.timings;
  const double decode_ms = timings.vae_ms / accepted->work.decodes;
  seats_[worker].estimate.observe_rest(accepted->work.latent_pixels,
                                       (timings.text_encoder_ms + decode_ms) / 1000.0);
  timings.queue_ms = 1000.0 * seconds_between(accepted->accepted_at, *accepted->started_at);
  succeed(message.id, std::move(message.result), notices);
  return true;
}

void Desk::handle(int worker, const FailedMessage& message) {
  Notices notices;
  const std::lock_guard lock(mutex_);
  Accepted* accepted = find_held(message.id, worker);
  if (!accepted) return;
  JobFault fault{message.code, message.message, 0};
  if (message.code == ErrorCode::OutOfMemory) {
    metrics_.count_out_of_memory();
    if (!std::exchange(accepted->ran_out_of_memory, true)) {
      backlog_.put_back(message.id);
      return;
    }
    fault.retry_after_s = retry_after_of(outlook().seconds);
  }
  fail(message.id, fault, notices);
}

void Desk::succeed(PictureId id, GeneratedImage image, Notices& notices) {
  const StageTimings& timings = image.timings;
  metrics_.observe_stage(Stage::Queue, timings.queue_ms / 1000.0);
  metrics_.observe_stage(Stage::TextEncoder, timings.text_encoder_ms / 1000.0);
  metrics_.observe_stage(Stage::Denoise, timings.denoise_ms / 1000.0);
  metrics_.observe_stage(Stage::Vae, timings.vae_ms / 1000.0);
  notices.succeeded(end(id, Outcome::Succeeded).job, std::move(image));
}

void Desk::fail(PictureId id, const JobFault& fault, Notices& notices) {
  if (!backlog_.find(id)) return;  // it has ended, by itself or with another one
  const Outcome outcome = outcome_of(fault.code);
  const Accepted accepted = end(id, outcome);
  if (accepted.worker) orders_.push_back({*accepted.worker, CancelMessage{id}});
  if (outcome == Outcome::Cancelled) {
    metrics_.count_cancelled(accepted.worker ? CancelledState::Running : CancelledState::Queued);
    notices.cancelled(accepted.job, fault);
  } else {
    notices.failed(accepted.job, fault);
  }
  if (outcome == Outcome::Failed) cancel_others_of(accepted, notices);
}

/// A request is answered with all of its pictures or none.
void Desk::cancel_others_of(const Accepted& failed, Notices& notices) {
  for (int i = 0; i < failed.pictures_of_request; ++i) {
    const PictureId id = failed.first_of_request + i;
    fail(id, {ErrorCode::Cancelled, "another picture of the request failed", 0}, notices);
  }
}

void Desk::fail_all(const JobFault& why, Notices& notices) {
  for (const PictureId id : backlog_.all()) fail(id, why, notices);
}

Accepted Desk::end(PictureId id, Outcome outcome) {
  Accepted accepted = backlog_.remove(id);
  metrics_.count_ended(outcome);
  show_counts();
  if (backlog_.empty()) has_emptied_.notify_all();
  return accepted;
}

void Desk::show_counts() const {
  metrics_.set_queue(backlog_.queued(), backlog_.running(), backlog_.queued_bytes());
}

}  // namespace ssd1b
