#include "service/workers/control_loop.h"

#include <poll.h>

#include <algorithm>
#include <utility>

#include "logging/log.h"
#include "memory/out_of_memory.h"
#include "service/workers/device_choice.h"

namespace ssd1b {
namespace {

constexpr std::chrono::seconds kBeat{1};        // the loop runs at least that often
constexpr std::chrono::milliseconds kReap{10};  // and that often while a process is ending
constexpr std::chrono::seconds kLiveWithin{5};
constexpr std::chrono::seconds kShowEvery{1};

/// A server that says it is ready must make the picture that its model makes by default.
std::optional<Error> fault_of_default_size(const ModelInfo& model, const ServerOptions& options) {
  const std::int64_t pixels = std::int64_t{model.width_px} * model.height_px;
  if (pixels <= options.max_pixels) return std::nullopt;
  return Error(ErrorCode::Usage,
               "--max-pixels must be at least " + std::to_string(pixels) +
                   ", the model's default size of " + std::to_string(model.width_px) + " x " +
                   std::to_string(model.height_px) + ", got " + std::to_string(options.max_pixels) +
                   " (" + source_of(options.sources, "max-pixels") + ")");
}

}  // namespace

ControlLoop::ControlLoop(const ServerOptions& options, const DispatcherTuning& tuning, Desk& desk,
                         Metrics& metrics)
    : options_(options), tuning_(tuning), desk_(desk), metrics_(metrics) {
  beat();
  thread_ = std::thread([this] { run(); });
}

ControlLoop::~ControlLoop() {
  is_stopping_ = true;
  wake_up_.wake();
  thread_.join();
}

void ControlLoop::attend() {
  const OutOfMemory waits(OutOfMemory::Means::Wait);
  const std::unique_lock lock(mutex_, std::try_to_lock);
  if (lock && !is_stopping_ && survives([this] { send_orders(); })) {
    // The thread waits for what it knew of: new orders may bring a nearer deadline, or more bytes
    // than a socket takes.
    const bool has_unsent = std::any_of(workers_.begin(), workers_.end(),
                                        [](const auto& worker) { return worker->has_unsent(); });
    if (!has_unsent && next_event() >= waits_until_) return;
  }
  wake_up_.wake();
}

bool ControlLoop::is_live() const {
  const Clock::time_point last{Clock::duration(last_beat_.load())};
  return Clock::now() - last < kLiveWithin && !is_any_hanging_;
}

void ControlLoop::beat() { last_beat_ = Clock::now().time_since_epoch().count(); }

void ControlLoop::run() {
  const OutOfMemory waits(OutOfMemory::Means::Wait);  // what a message says must not be lost
  std::unique_lock lock(mutex_);
  try {
    make_workers();
  } catch (const Error& error) {
    desk_.set_fatal(error);
  }
  last_run_ = Clock::now();
  while (!is_stopping_) {
    if (!survives([&] { run_once(lock); })) return;
  }
  workers_.clear();  // kills their processes, on the thread that is their parent
}

bool ControlLoop::survives(const std::function<void()>& act) {
  try {
    act();
    return true;
  } catch (const std::exception& fault) {
    log_error("control loop failed", {{"reason", fault.what()}});
    desk_.set_fatal(Error(ErrorCode::InternalError,
                          std::string("the control loop failed, this is a bug: ") + fault.what()));
    return false;
  }
}

void ControlLoop::make_workers() {
  const auto list = [&] {
    return device_list_from(ask_for_devices(options_.worker, [&] {
      beat();
      return !is_stopping_.load();
    }));
  };
  const bool has_driver = tuning_.has_gpu_driver.value_or(may_have_gpu_driver());
  const DeviceChoice choice = choose_devices(options_.pipeline.device, has_driver, list);
  if (is_stopping_) return;
  for (const std::string& warning : choice.warnings) {
    log_warn("device is left out", {{"reason", warning}});
  }
  are_devices_automatic_ = choice.is_automatic;
  for (const std::string& device : choice.devices) add_worker(device);
}

void ControlLoop::add_worker(const std::string& device) {
  log_info("device chosen", {{"device", device}});
  desk_.add_device(device);
  workers_.push_back(std::make_unique<DeviceWorker>(
      device,
      DeviceWorker::Program{options_.worker,
                            worker_arguments(options_.pipeline, device, options_.log)},
      DeviceWorker::Timing{tuning_.hang_floor, tuning_.first_restart_delay}));
}

void ControlLoop::run_once(std::unique_lock<std::mutex>& lock) {
  start_due(Clock::now());
  send_orders();
  const std::vector<int> speaking = wait(lock);
  beat();
  const Clock::time_point now = Clock::now();
  forgive_held_up(now);
  for (const int worker : speaking) receive(worker, now);
  desk_.expire(now);
  keep_watch(now);
  reap(now);
  show_workers(now);
  last_run_ = now;
}

void ControlLoop::start_due(Clock::time_point now) {
  if (desk_.fatal()) return;
  for (const auto& worker : workers_) {
    if (worker->phase() == DeviceWorker::Phase::Down && worker->starts_at() <= now) {
      worker->start(now);
    }
  }
}

std::set<int> ControlLoop::flush() {
  std::set<int> behind;
  for (std::size_t i = 0; i < workers_.size(); ++i) {
    workers_[i]->flush();
    if (workers_[i]->has_unsent()) behind.insert(static_cast<int>(i));
  }
  return behind;
}

void ControlLoop::send_orders() {
  for (Order& order : desk_.take_orders(flush())) {
    // A worker that is gone has no pictures any more: what was to be said about them is void.
    if (workers_[order.worker]->phase() == DeviceWorker::Phase::Ready) {
      send(order.worker, std::move(order.message));
    }
  }
  flush();
  expect_signs(Clock::now());
}

/// Of workers that make pictures, or have orders to read of pictures that nobody wants any more.
void ControlLoop::expect_signs(Clock::time_point now) {
  for (std::size_t i = 0; i < workers_.size(); ++i) {
    DeviceWorker& worker = *workers_[i];
    if (worker.phase() != DeviceWorker::Phase::Ready) continue;
    const WorkerLoad load = desk_.load_of(static_cast<int>(i));
    if (load.pictures > 0) {
      worker.watch().set_load(now, load.row_pixels, load.expected_s);
    } else if (worker.has_unread()) {
      worker.watch().expect_sign(now);
    } else {
      worker.watch().rest();
    }
  }
}

void ControlLoop::send(int index, ServerMessage message) {
  const auto* admit = std::get_if<AdmitMessage>(&message);
  const PictureId id = admit ? admit->id : 0;
  try {
    workers_[index]->send(std::move(message));
  } catch (const Error& error) {  // a text that is not UTF-8: the picture's fault, not the worker's
    desk_.handle(index, FailedMessage{id, error.code(), error.what()});
  }
}

Clock::time_point ControlLoop::next_event() const {
  const Clock::time_point now = Clock::now();
  Clock::time_point next = Clock::time_point::max();
  if (const auto deadline = desk_.next_deadline()) next = std::min(next, *deadline);
  const bool may_start = !desk_.fatal();
  for (const auto& worker : workers_) {
    if (worker->phase() == DeviceWorker::Phase::Ending) next = std::min(next, now + kReap);
    if (worker->phase() == DeviceWorker::Phase::Down && may_start) {
      next = std::min(next, worker->starts_at());
    }
    if (const auto hangs_at = worker->watch().hangs_at()) next = std::min(next, *hangs_at);
  }
  return next;
}

std::vector<int> ControlLoop::wait(std::unique_lock<std::mutex>& lock) {
  std::vector<pollfd> entries = {{wake_up_.fd(), POLLIN, 0}};
  for (const auto& worker : workers_) {
    const short wants = worker->has_unsent() ? POLLIN | POLLOUT : POLLIN;
    // poll() ignores the -1 of a worker without a process.
    entries.push_back({worker->descriptor(), wants, 0});
  }
  const Clock::time_point now = Clock::now();
  waits_until_ = std::min(now + kBeat, next_event());
  const auto limit = std::chrono::ceil<std::chrono::milliseconds>(waits_until_ - now).count();

  lock.unlock();
  const int ready = poll(entries.data(), entries.size(), static_cast<int>(std::max(limit, 0L)));
  lock.lock();

  std::vector<int> speaking;
  if (ready <= 0) return speaking;
  if (entries[0].revents != 0) wake_up_.clear();
  for (std::size_t i = 0; i < workers_.size(); ++i) {
    if ((entries[i + 1].revents & ~POLLOUT) != 0) speaking.push_back(static_cast<int>(i));
  }
  return speaking;
}

void ControlLoop::receive(int index, Clock::time_point now) {
  DeviceWorker& worker = *workers_[index];
  for (WorkerMessage& message : worker.receive(now)) {
    if (const auto* ready = std::get_if<ReadyMessage>(&message)) {
      log_info("worker is ready", {{"device", worker.device()}, {"dtype", ready->model.dtype}});
      if (const auto fault = fault_of_default_size(ready->model, options_)) {
        desk_.set_fatal(*fault);
        return;
      }
      desk_.worker_is_ready(index, ready->model);
      last_shown_ = {};  // the gauges follow at once
    } else if (const auto* progress = std::get_if<ProgressMessage>(&message)) {
      desk_.handle(index, *progress);
    } else if (auto* preview = std::get_if<PreviewMessage>(&message)) {
      if (!desk_.handle(index, std::move(*preview))) {
        worker.end_as_garbled(now, "a preview is not of the picture that was ordered");
        break;
      }
    } else if (auto* finished = std::get_if<FinishedMessage>(&message)) {
      if (!desk_.handle(index, std::move(*finished))) {
        worker.end_as_garbled(now, "a picture is not the one that was ordered");
        break;
      }
    } else if (const auto* failed = std::get_if<FailedMessage>(&message)) {
      desk_.handle(index, *failed);
    }
  }
  if (worker.phase() == DeviceWorker::Phase::Ending) desk_.worker_is_down(index);
}

/// A loop that was held up cannot know whether the workers were, too. Before their messages are
/// read: a gap that was the server's own must teach the watch nothing.
void ControlLoop::forgive_held_up(Clock::time_point now) {
  const Clock::duration late = now - last_run_ - kBeat;
  if (late <= Clock::duration::zero()) return;
  for (const auto& worker : workers_) worker->watch().forgive(now, late);
}

void ControlLoop::keep_watch(Clock::time_point now) {
  expect_signs(now);  // a worker that has read its last orders says nothing of it
  for (std::size_t i = 0; i < workers_.size(); ++i) {
    if (workers_[i]->end_if_hung(now)) desk_.worker_is_down(static_cast<int>(i));
  }
}

void ControlLoop::reap(Clock::time_point now) {
  bool is_any_hanging = false;
  for (std::size_t i = 0; i < workers_.size(); ++i) {
    is_any_hanging = is_any_hanging || workers_[i]->is_hanging();
    if (const std::optional<WorkerEnd> end = workers_[i]->try_reap(now)) {
      judge_end(static_cast<int>(i), *end);
    }
  }
  is_any_hanging_ = is_any_hanging;
}

void ControlLoop::judge_end(int index, const WorkerEnd& end) {
  const DeviceWorker& worker = *workers_[index];
  const bool never_ready = !worker.has_ever_been_ready();
  if (never_ready && end.code == ErrorCode::NoDevice && are_devices_automatic_ &&
      worker.device() != "cpu") {
    leave_out(index, end);
    return;
  }
  if (never_ready && (end.code == ErrorCode::Usage || end.code == ErrorCode::BadModel ||
                      end.code == ErrorCode::NoDevice)) {
    desk_.set_fatal(Error(end.code, end.text));
    return;
  }
  metrics_.count_restart(worker.device(), end.reason);
  log_warn("worker ended and is replaced",
           {{"device", worker.device()}, {"reason", name_of(end.reason)}, {"what", end.text}});
  if (worker.is_hopeless() && !desk_.is_any_ready()) {
    desk_.set_fatal(Error(ErrorCode::WorkerCrashed, "the worker on " + worker.device() +
                                                        " failed to become ready five times in a "
                                                        "row: " +
                                                        end.text));
  }
}

void ControlLoop::leave_out(int index, const WorkerEnd& end) {
  log_warn("device is left out", {{"device", workers_[index]->device()}, {"reason", end.text}});
  workers_[index]->leave_out();
  desk_.worker_is_left_out(index);
  const bool is_any_left = std::any_of(workers_.begin(), workers_.end(), [](const auto& each) {
    return each->phase() != DeviceWorker::Phase::LeftOut;
  });
  if (!is_any_left) add_worker("cpu");
}

void ControlLoop::show_workers(Clock::time_point now) {
  if (now - last_shown_ < kShowEvery) return;
  last_shown_ = now;
  for (const auto& worker : workers_) {
    metrics_.set_worker(worker->device(), worker->phase() == DeviceWorker::Phase::Ready,
                        worker->memory_bytes());
  }
}

}  // namespace ssd1b
