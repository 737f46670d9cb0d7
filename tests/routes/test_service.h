#pragma once

#include <memory>
#include <string>
#include <vector>

#include "service/routes/routes.h"

namespace ssd1b {

/// What a route is asked, and how it was found.
struct SentRequest : HttpRequest {
  std::string method;
  std::string path;
};

/// The routes over a real dispatcher with the fake worker, without HTTP.
class TestService {
 public:
  enum class Worker { Fake, NeverReady };

  explicit TestService(Worker worker = Worker::Fake);

  const Service& get() const { return *service_; }
  std::shared_ptr<const Service> shared() const { return service_; }

  /// Blocks; throws after 30 s.
  void wait_until_ready() const;
  /// Blocks until the metrics' text holds this line.
  void wait_for_metric(const std::string& line) const;

  /// A request as the edge would give it to its route.
  SentRequest request(const std::string& method, const std::string& path,
                      const std::string& body = "") const;
  /// Answered by the route whose pattern has no parameters, or the same number of them as `path`.
  HttpReply call(const SentRequest& request) const;
  HttpReply call(const std::string& method, const std::string& path,
                 const std::string& body = "") const;

 private:
  std::unique_ptr<Metrics> metrics_;
  std::unique_ptr<Dispatcher> dispatcher_;
  std::shared_ptr<Service> service_;
  std::vector<Route> routes_;
};

/// The value of a reply's header; empty where there is none.
std::string header_of(const HttpReply& reply, const std::string& name);

}  // namespace ssd1b
