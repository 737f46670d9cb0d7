#include "service/routes/service.h"

#include <chrono>
#include <cmath>

#include "cores/cores.h"
#include "service/routes/few_at_a_time.h"
#include "service/routes/job_store.h"
#include "service/routes/link_store.h"
#include "service/routes/running_requests.h"
#include "service/routes/version.h"

namespace ssd1b {
namespace {

constexpr std::chrono::seconds kCpuTimeout{7200};
constexpr std::chrono::seconds kCudaTimeout{600};

RequestRules rules_of(const ServerOptions& options) {
  RequestRules rules;
  rules.max_pixels = options.max_pixels;
  rules.max_images = options.max_images;
  rules.request_timeout = kCpuTimeout;
  if (options.request_timeout_s) {
    rules.request_timeout =
        std::chrono::milliseconds(std::llround(*options.request_timeout_s * 1000.0));
  }
  rules.model_names = options.served_model_names;
  if (rules.model_names.empty()) {
    rules.model_names = {model_name(options.pipeline)};
    rules.takes_openai_names = true;
  }
  return rules;
}

}  // namespace

Service::Service(const ServerOptions& options, Dispatcher& dispatcher, Metrics& metrics)
    : options_(options),
      dispatcher_(dispatcher),
      metrics_(metrics),
      started_at_s_(std::chrono::duration_cast<std::chrono::seconds>(
                        std::chrono::system_clock::now().time_since_epoch())
                        .count()),
      rules_(rules_of(options)),
      jobs_(std::make_unique<JobStore>(dispatcher, metrics)),
      links_(std::make_unique<LinkStore>()),
      running_(std::make_unique<RunningRequests>()),
      encoding_(std::make_unique<FewAtATime>(usable_cores())),
      parsing_(std::make_unique<FewAtATime>(usable_cores())) {
  metrics_.set_build_info(program_version(), build_commit());
}

Service::~Service() = default;

void Service::forget_old() const {
  jobs_->forget_old();
  links_->forget_old();
}

std::shared_ptr<const ModelInfo> Service::model() const {
  const ServiceState state = dispatcher_.state();
  if (state.model) return state.model;
  throw Refusal(ErrorCode::NotReady,
                state.reason.empty() ? "the model is still being loaded" : state.reason,
                kRetryWhenNotReadyS);
}

RequestRules Service::rules(const ModelInfo& model) const {
  RequestRules rules = rules_;
  if (!options_.request_timeout_s && model.device != "cpu") rules.request_timeout = kCudaTimeout;
  return rules;
}

}  // namespace ssd1b
