#include "service/workers/dispatcher.h"

#include <utility>

#include "service/workers/control_loop.h"
#include "service/workers/desk.h"

namespace ssd1b {
namespace {

JobFault shutting_down() { return {ErrorCode::ShuttingDown, "the server is shutting down", 1}; }

}  // namespace

class Dispatcher::Impl {
 public:
  Impl(const ServerOptions& server_options, Metrics& metrics, const DispatcherTuning& tuning)
      : options(server_options),
        desk({server_options.queue_size, tuning.max_queue_bytes}, metrics,
             [this] { control.attend(); }),
        control(options, tuning, desk, metrics) {}

  const ServerOptions options;
  Desk desk;
  ControlLoop control;  // last: it ends before what it uses
};

Dispatcher::Dispatcher(const ServerOptions& options, Metrics& metrics,
                       const DispatcherTuning& tuning)
    : impl_(std::make_unique<Impl>(options, metrics, tuning)) {}

Dispatcher::~Dispatcher() {
  impl_->desk.close();
  impl_->desk.end_all(shutting_down());
}

ServiceState Dispatcher::state() const {
  ServiceState state = impl_->desk.state();
  state.live = impl_->control.is_live();
  if (!state.live) state.reason = "a worker hangs or the control loop does not run";
  return state;
}

std::vector<std::shared_ptr<Job>> Dispatcher::submit(std::vector<GenerationRequest> requests,
                                                     const JobTicket& ticket) {
  return impl_->desk.submit(std::move(requests), ticket);
}

void Dispatcher::cancel(Job& job, JobFault why) { impl_->desk.cancel(job, why); }

void Dispatcher::finish(Job& job, const std::optional<JobFault>& if_waiting) {
  impl_->desk.finish(job, if_waiting);
}

std::optional<QueuePlace> Dispatcher::place_of(const Job& job) const {
  return impl_->desk.place_of(job);
}

void Dispatcher::announce_drain() { impl_->desk.announce_drain(); }

void Dispatcher::drain(Clock::time_point until) {
  impl_->desk.close();
  if (!impl_->desk.wait_until_empty(until)) impl_->desk.end_all(shutting_down());
}

std::optional<Error> Dispatcher::fatal() const { return impl_->desk.fatal(); }

}  // namespace ssd1b
