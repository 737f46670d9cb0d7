#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "options/options.h"
#include "service/dialects/image_request.h"
#include "service/metrics/metrics.h"
#include "service/workers/dispatcher.h"

namespace ssd1b {

class FewAtATime;
class JobStore;
class LinkStore;
class RunningRequests;

/// What the handlers of all routes share. Thread-safe: everything in it is constant or guards
/// itself.
class Service {
 public:
  /// Keeps references to `dispatcher` and `metrics`.
  Service(const ServerOptions& options, Dispatcher& dispatcher, Metrics& metrics);
  ~Service();

  Dispatcher& dispatcher() const { return dispatcher_; }
  Metrics& metrics() const { return metrics_; }
  JobStore& jobs() const { return *jobs_; }
  LinkStore& links() const { return *links_; }
  RunningRequests& running() const { return *running_; }
  /// Image files are made as many at a time as there are cores.
  FewAtATime& encoding() const { return *encoding_; }
  /// So are large bodies read.
  FewAtATime& parsing() const { return *parsing_; }
  std::int64_t started_at_s() const { return started_at_s_; }  // since 1970

  /// Lets go of kept pictures whose time is up. To be called now and then.
  void forget_old() const;

  /// The loaded model; throws Refusal(NotReady) before there is one.
  std::shared_ptr<const ModelInfo> model() const;

  /// What the operator allows in one request to `model`.
  RequestRules rules(const ModelInfo& model) const;

  /// The rules before a model is known, for documents that must not wait for one.
  const RequestRules& rules() const { return rules_; }

 private:
  const ServerOptions options_;
  Dispatcher& dispatcher_;
  Metrics& metrics_;
  const std::int64_t started_at_s_;
  const RequestRules rules_;  // of a model on the CPU
  std::unique_ptr<JobStore> jobs_;
  std::unique_ptr<LinkStore> links_;
  std::unique_ptr<RunningRequests> running_;
  std::unique_ptr<FewAtATime> encoding_;
  std::unique_ptr<FewAtATime> parsing_;
};

}  // namespace ssd1b
