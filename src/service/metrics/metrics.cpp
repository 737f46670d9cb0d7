#include "service/metrics/metrics.h"

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <cstring>
#include <mutex>

namespace ssd1b {
namespace {

using prometheus::Counter;
using prometheus::Family;
using prometheus::Gauge;
using prometheus::Histogram;

const char* name_of(Outcome outcome) {
  switch (outcome) {
    case Outcome::Succeeded:
      return "succeeded";
    case Outcome::Failed:
      return "failed";
    case Outcome::Cancelled:
      return "cancelled";
    case Outcome::Expired:
      return "expired";
    case Outcome::RefusedAtShutdown:
      return "refused_at_shutdown";
  }
  return "failed";
}

const char* name_of(Stage stage) {
  switch (stage) {
    case Stage::Queue:
      return "queue";
    case Stage::TextEncoder:
      return "text_encoder";
    case Stage::Denoise:
      return "denoise";
    case Stage::Vae:
      return "vae";
    case Stage::Encode:
      return "encode";
  }
  return "queue";
}

/// From a fake engine's milliseconds to an hour of a large picture on a small CPU.
Histogram::BucketBoundaries seconds_buckets() {
  return {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5,
          1,     2.5,    5,     10,   30,    60,   180, 600,  3600};
}

Histogram::BucketBoundaries picture_buckets() { return {1, 2, 3, 4, 6, 8, 12, 16, 32}; }

Family<Counter>& counters(prometheus::Registry& registry, const char* name, const char* help) {
  return prometheus::BuildCounter().Name(name).Help(help).Register(registry);
}

Family<Gauge>& gauges(prometheus::Registry& registry, const char* name, const char* help) {
  return prometheus::BuildGauge().Name(name).Help(help).Register(registry);
}

Family<Histogram>& histograms(prometheus::Registry& registry, const char* name, const char* help) {
  return prometheus::BuildHistogram().Name(name).Help(help).Register(registry);
}

/// A counter whose count is kept elsewhere. One thread at a time.
void raise_to(Counter& counter, std::uint64_t count) {
  counter.Increment(static_cast<double>(count) - counter.Value());
}

}  // namespace

const char* name_of(RestartReason reason) {
  switch (reason) {
    case RestartReason::Crash:
      return "crash";
    case RestartReason::Killed:
      return "killed";
    case RestartReason::Hung:
      return "hung";
    case RestartReason::OutOfMemory:
      return "out_of_memory";
    case RestartReason::DeviceLost:
      return "device_lost";
    case RestartReason::Protocol:
      return "protocol";
  }
  return "crash";
}

/// Every series by its name; those whose labels are known are there from the start, with zero.
struct Metrics::Series {
  prometheus::Registry registry;

  Family<Gauge>& build_info =
      gauges(registry, "ssd1b_build_info", "1; the labels say which build this is");
  Family<Counter>& requests =
      counters(registry, "ssd1b_requests_total", "Answered requests by route and status");
  Family<Histogram>& request_seconds =
      histograms(registry, "ssd1b_request_seconds", "From a request's arrival to its reply");

  Gauge& connections =
      gauges(registry, "ssd1b_connections_open", "Connections of clients that are open").Add({});
  Counter& connections_accepted =
      counters(registry, "ssd1b_connections_accepted_total", "Connections that were taken").Add({});
  Counter& connections_refused = counters(registry, "ssd1b_connections_refused_total",
                                          "Connections that were refused for their number")
                                     .Add({});
  Counter& connections_evicted = counters(registry, "ssd1b_connections_evicted_total",
                                          "Idle connections that were closed to make room")
                                     .Add({});
  Family<Counter>& accept_errors =
      counters(registry, "ssd1b_accept_errors_total", "Failures of accept() by errno");

  std::mutex dropped_log_records_mutex;  // every scrape raises the counter, on its own thread
  Counter& dropped_log_records =
      counters(registry, "ssd1b_log_records_dropped_total",
               "Log records that were lost: standard error took them too slowly or not at all")
          .Add({});

  Counter& accepted =
      counters(registry, "ssd1b_pictures_accepted_total", "Pictures that were accepted").Add({});
  Family<Counter>& refused =
      counters(registry, "ssd1b_pictures_refused_total", "Pictures that were not accepted");
  Family<Counter>& ended = counters(registry, "ssd1b_pictures_ended_total",
                                    "Accepted pictures that have ended, each once");
  Counter& pictures = counters(registry, "ssd1b_pictures_total", "Pictures that were made").Add({});
  Family<Counter>& cancelled =
      counters(registry, "ssd1b_cancelled_total", "Pictures that nobody waited for any more");

  Gauge& queued = gauges(registry, "ssd1b_queue_pictures", "Pictures that wait").Add({});
  Gauge& queued_bytes =
      gauges(registry, "ssd1b_queue_bytes", "Memory of the requests that wait").Add({});
  Gauge& running = gauges(registry, "ssd1b_running_pictures", "Pictures in the making").Add({});
  Histogram& queue_wait =
      histograms(registry, "ssd1b_queue_wait_seconds",
                 "From a picture's acceptance until it was first given to a worker")
          .Add({}, seconds_buckets());
  Family<Histogram>& stage_seconds =
      histograms(registry, "ssd1b_stage_seconds", "Where a picture's time goes");
  Counter& steps =
      counters(registry, "ssd1b_steps_total", "UNet calls, counted once a picture").Add({});
  Histogram& batch = histograms(registry, "ssd1b_batch_pictures", "Pictures that share a UNet call")
                         .Add({}, picture_buckets());

  Counter& out_of_memory =
      counters(registry, "ssd1b_out_of_memory_total", "Times a device's memory ran out").Add({});
  Counter& remade = counters(registry, "ssd1b_pictures_remade_total",
                             "Pictures begun again after a worker's death")
                        .Add({});
  Family<Counter>& restarts =
      counters(registry, "ssd1b_worker_restarts_total", "Worker processes that were replaced");
  Family<Gauge>& worker_ready =
      gauges(registry, "ssd1b_worker_ready", "Whether a device's worker can take work");
  Family<Gauge>& worker_memory =
      gauges(registry, "ssd1b_worker_memory_bytes", "Resident memory of a device's worker");
};

Metrics::Metrics() : series_(std::make_unique<Series>()) {
  for (const Outcome outcome : {Outcome::Succeeded, Outcome::Failed, Outcome::Cancelled,
                                Outcome::Expired, Outcome::RefusedAtShutdown}) {
    series_->ended.Add({{"outcome", name_of(outcome)}});
  }
  series_->cancelled.Add({{"state", "queued"}});
  series_->cancelled.Add({{"state", "running"}});
  for (const Stage stage :
       {Stage::Queue, Stage::TextEncoder, Stage::Denoise, Stage::Vae, Stage::Encode}) {
    series_->stage_seconds.Add({{"stage", name_of(stage)}}, seconds_buckets());
  }
}

Metrics::~Metrics() = default;

std::string Metrics::text() const {
  return prometheus::TextSerializer().Serialize(series_->registry.Collect());
}

void Metrics::set_build_info(const std::string& version, const std::string& commit) {
  series_->build_info.Add({{"version", version}, {"commit", commit}}).Set(1);
}

void Metrics::count_request(const std::string& route, int status, double seconds) {
  series_->requests.Add({{"route", route}, {"status", std::to_string(status)}}).Increment();
  series_->request_seconds.Add({{"route", route}}, seconds_buckets()).Observe(seconds);
}

void Metrics::set_connections(const ConnectionCounts& counts) {
  series_->connections.Set(counts.open);
  raise_to(series_->connections_accepted, counts.accepted);
  raise_to(series_->connections_refused, counts.refused);
  raise_to(series_->connections_evicted, counts.evicted);
}

void Metrics::set_dropped_log_records(std::uint64_t count) {
  const std::lock_guard lock(series_->dropped_log_records_mutex);
  raise_to(series_->dropped_log_records, count);
}

void Metrics::set_accept_errors(int error, std::uint64_t count) {
  const char* name = strerrorname_np(error);
  raise_to(series_->accept_errors.Add({{"errno", name ? name : std::to_string(error)}}), count);
}

void Metrics::count_accepted(int pictures) { series_->accepted.Increment(pictures); }

void Metrics::count_refused(const std::string& code, int pictures) {
  series_->refused.Add({{"code", code}}).Increment(pictures);
}

void Metrics::count_ended(Outcome outcome) {
  series_->ended.Add({{"outcome", name_of(outcome)}}).Increment();
  if (outcome == Outcome::Succeeded) series_->pictures.Increment();
}

void Metrics::count_cancelled(CancelledState state) {
  const char* name = state == CancelledState::Queued ? "queued" : "running";
  series_->cancelled.Add({{"state", name}}).Increment();
}

void Metrics::observe_queue_wait(double seconds) { series_->queue_wait.Observe(seconds); }

void Metrics::observe_stage(Stage stage, double seconds) {
  series_->stage_seconds.Add({{"stage", name_of(stage)}}, seconds_buckets()).Observe(seconds);
}

void Metrics::count_step() { series_->steps.Increment(); }

void Metrics::observe_batch(int pictures) { series_->batch.Observe(pictures); }

void Metrics::count_out_of_memory() { series_->out_of_memory.Increment(); }

void Metrics::count_remade() { series_->remade.Increment(); }

void Metrics::count_restart(const std::string& device, RestartReason reason) {
  series_->restarts.Add({{"device", device}, {"reason", name_of(reason)}}).Increment();
}

void Metrics::set_queue(int queued_pictures, int running_pictures, std::int64_t queued_bytes) {
  series_->queued.Set(queued_pictures);
  series_->running.Set(running_pictures);
  series_->queued_bytes.Set(static_cast<double>(queued_bytes));
}

void Metrics::set_worker(const std::string& device, bool is_ready, std::int64_t memory_bytes) {
  series_->worker_ready.Add({{"device", device}}).Set(is_ready ? 1 : 0);
  series_->worker_memory.Add({{"device", device}}).Set(static_cast<double>(memory_bytes));
}

}  // namespace ssd1b
