#include "routes/test_service.h"

#include <stdexcept>
#include <thread>

namespace ssd1b {
namespace {

ServerOptions options_of(TestService::Worker worker) {
  ServerOptions options;
  options.pipeline.model = SSD1B_SOURCE_DIR "/models/icons";
  options.pipeline.device = "cpu";
  const bool is_fake = worker == TestService::Worker::Fake;
  options.worker = is_fake ? SSD1B_BIN_DIR "/ssd1b-fake-worker" : "/bin/false";
  return options;
}

template <typename Condition>
void wait_for(const Condition& condition) {
  const auto until = Clock::now() + std::chrono::seconds(30);
  while (!condition()) {
    if (Clock::now() > until) throw std::runtime_error("it did not come to hold in time");
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
}

/// What the last parameter of a pattern matches in a path; false where they do not fit.
bool matches(const std::string& pattern, const std::string& path, std::string& parameter) {
  const std::size_t open = pattern.find('{');
  if (open == std::string::npos) return pattern == path;
  const std::size_t close = pattern.find('}');
  const std::string tail = pattern.substr(close + 1);
  if (path.size() <= open + tail.size() || path.compare(0, open, pattern, 0, open) != 0)
    return false;
  if (path.compare(path.size() - tail.size(), tail.size(), tail) != 0) return false;
  parameter = path.substr(open, path.size() - open - tail.size());
  return parameter.find('/') == std::string::npos;
}

}  // namespace

TestService::TestService(Worker worker)
    : metrics_(std::make_unique<Metrics>()),
      dispatcher_(std::make_unique<Dispatcher>(options_of(worker), *metrics_)),
      service_(std::make_shared<Service>(options_of(worker), *dispatcher_, *metrics_)),
      routes_(all_routes(service_)) {}

void TestService::wait_until_ready() const {
  wait_for([this] { return dispatcher_->state().ready; });
}

void TestService::wait_for_metric(const std::string& line) const {
  wait_for([&] { return metrics_->text().find(line) != std::string::npos; });
}

SentRequest TestService::request(const std::string& method, const std::string& path,
                                 const std::string& body) const {
  SentRequest request;
  request.method = method;
  request.path = path;
  request.headers = {{"Host", "localhost"}, {"Content-Type", "application/json"}};
  request.body = body;
  request.request_id = "test";
  request.arrived_at = Clock::now();
  request.is_client_gone = [] { return false; };
  return request;
}

HttpReply TestService::call(const SentRequest& request) const {
  for (const Route& route : routes_) {
    std::string parameter;
    if (route.method != request.method || !matches(route.pattern, request.path, parameter))
      continue;
    HttpRequest routed = request;
    if (!parameter.empty()) routed.path_parameters = {parameter};
    return route.handler(routed);
  }
  throw std::runtime_error("no route for " + request.path);
}

HttpReply TestService::call(const std::string& method, const std::string& path,
                            const std::string& body) const {
  return call(request(method, path, body));
}

std::string header_of(const HttpReply& reply, const std::string& name) {
  for (const auto& [each, value] : reply.headers) {
    if (each == name) return value;
  }
  return "";
}

}  // namespace ssd1b
