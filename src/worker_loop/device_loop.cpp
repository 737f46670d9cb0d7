#include "worker_loop/device_loop.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <new>
#include <string>
#include <utility>
#include <vector>

#include "ssd1b/request_limits.h"

namespace ssd1b {
namespace {

// Units that end that soon after one another need no message each.
constexpr double kShortUnitMs = 1.0;

/// The first line of another library's message: torch puts a backtrace behind it.
std::string first_line(const std::exception& fault) {
  const std::string text = fault.what();
  return text.substr(0, text.find('\n'));
}

/// A picture of the smallest size that the model makes.
GenerationRequest warm_up_request(const ModelInfo& model) {
  const int factor = model.vae_scale_factor;
  GenerationRequest request = default_request(model);
  request.prompt = "warm-up";
  request.width_px = request.height_px = (kMinSidePx + factor - 1) / factor * factor;
  request.steps = std::min(2, request.steps);
  request.original_width_px = request.target_width_px = request.width_px;
  request.original_height_px = request.target_height_px = request.height_px;
  return request;
}

double milliseconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start)
      .count();
}

}  // namespace

DeviceLoop::DeviceLoop(const OpenEngine& open_engine, ServerLink& server)
    : open_engine_(open_engine), server_(server) {}

int DeviceLoop::run() {
  try {
    open();
  } catch (const Error& error) {
    return fail_opening(error.code(), error.what());
  } catch (const std::bad_alloc&) {
    return fail_opening(ErrorCode::OutOfMemory, "memory ran out while the model was loaded");
  } catch (const std::exception& fault) {
    return fail_opening(ErrorCode::InternalError, first_line(fault));
  }
  try {
    while (handle_messages()) {
      admit_waiting();
      step();
      server_.tick();
    }
    engine_.reset();
    server_.finish_sending();
    return 0;
  } catch (const std::bad_alloc&) {
    give_up(ErrorCode::OutOfMemory, "the worker's own memory ran out");
  } catch (const std::exception& fault) {
    // The engine reports a picture's fault as an event: what it throws is the loss of the device.
    give_up(ErrorCode::DeviceLost, first_line(fault));
  }
}

/// Nothing of the engine is touched any more: freeing what a lost device holds can crash or hang.
void DeviceLoop::give_up(ErrorCode code, const std::string& message) {
  server_.send(FatalMessage{code, message});
  server_.finish_sending();
  _exit(exit_status_of(code));
}

void DeviceLoop::open() {
  engine_ = open_engine_([this] { server_.tick(); });
  warm_up();
  server_.send(ReadyMessage{engine_->model()});
}

int DeviceLoop::fail_opening(ErrorCode code, const std::string& message) {
  server_.send(FatalMessage{code, message});
  server_.finish_sending();
  if (code == ErrorCode::DeviceLost) _exit(exit_status_of(code));  // as in run()
  engine_.reset();
  return exit_status_of(code);
}

void DeviceLoop::warm_up() {
  try {
    generate(*engine_, warm_up_request(engine_->model()), /*on_progress=*/{});
  } catch (const Error& error) {
    if (error.code() != ErrorCode::NonFiniteOutput) throw;
    throw Error(ErrorCode::BadModel,
                std::string("the model's first picture is not finite: ") + error.what());
  }
}

bool DeviceLoop::handle_messages() {
  bool is_to_go_on = true;
  const bool is_idle = making_.empty() && waiting_.empty();
  for (ServerMessage& message : is_idle ? server_.wait_and_receive() : server_.receive()) {
    if (auto* admit = std::get_if<AdmitMessage>(&message)) handle(std::move(*admit));
    if (const auto* cancel = std::get_if<CancelMessage>(&message)) handle(*cancel);
    if (const auto* finish = std::get_if<FinishMessage>(&message)) handle(*finish);
    if (std::holds_alternative<StopMessage>(message)) is_to_go_on = false;
  }
  return is_to_go_on;
}

void DeviceLoop::handle(AdmitMessage message) { waiting_.push_back({std::move(message), false}); }

void DeviceLoop::handle(const CancelMessage& message) {
  const auto is_it = [&](const Waiting& each) { return each.message.id == message.id; };
  waiting_.erase(std::remove_if(waiting_.begin(), waiting_.end(), is_it), waiting_.end());
  if (making_.erase(message.id) > 0) engine_->cancel(message.id);
}

void DeviceLoop::handle(const FinishMessage& message) {
  for (Waiting& each : waiting_) {
    if (each.message.id == message.id) each.is_to_finish = true;
  }
  if (making_.count(message.id) > 0) engine_->finish(message.id);
}

void DeviceLoop::admit_waiting() {
  const auto places = static_cast<std::size_t>(engine_->model().max_pictures);
  while (!waiting_.empty() && making_.size() < places) {
    const PictureId id = waiting_.front().message.id;
    try {
      if (!engine_->has_room_for(waiting_.front().message.request)) {
        if (!making_.empty()) return;  // room comes with the end of another picture
        throw Error(ErrorCode::OutOfMemory, "the picture does not fit the device's memory");
      }
      engine_->admit(id, waiting_.front().message.request);
      making_.insert(id);
      if (waiting_.front().is_to_finish) engine_->finish(id);
    } catch (const Error& error) {
      server_.send(FailedMessage{id, error.code(), error.what()});
    }
    waiting_.pop_front();
  }
}

void DeviceLoop::step() {
  if (making_.empty()) return;
  const auto start = std::chrono::steady_clock::now();
  std::vector<PictureEvent> events = engine_->step();
  const double unit_ms = milliseconds_since(start);
  const auto is_progress = [](const PictureEvent& each) {
    return std::holds_alternative<PictureProgress>(each.what);
  };
  const auto pictures = static_cast<int>(std::count_if(events.begin(), events.end(), is_progress));
  bool leads_unit = true;
  for (PictureEvent& event : events) {
    const bool counts = is_progress(event);
    report(std::move(event), {unit_ms, std::max(pictures, 1), leads_unit});
    if (counts) leads_unit = false;
  }
}

void DeviceLoop::report(PictureEvent event, const Unit& unit) {
  const PictureId id = event.id;
  if (auto* progress = std::get_if<PictureProgress>(&event.what)) {
    ProgressMessage message{id, *progress, unit.duration_ms, unit.pictures, unit.is_led};
    if (unit.duration_ms < kShortUnitMs) {
      server_.send_with_next(std::move(message));
    } else {
      server_.send(std::move(message));
    }
  } else if (auto* preview = std::get_if<PicturePreview>(&event.what)) {
    server_.send(PreviewMessage{id, std::move(*preview)});
  } else if (auto* finished = std::get_if<PictureFinished>(&event.what)) {
    making_.erase(id);
    server_.send(FinishedMessage{id, std::move(finished->result)});
  } else if (auto* failed = std::get_if<PictureFailed>(&event.what)) {
    making_.erase(id);
    server_.send(FailedMessage{id, failed->code, failed->message});
  }
}

}  // namespace ssd1b
