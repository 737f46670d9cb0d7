#include "http/edge_server.h"

#include <chrono>
#include <mutex>
#include <stdexcept>
#include <thread>
#include <utility>

namespace ssd1b {
namespace {

HttpReply text(std::string body) {
  HttpReply reply;
  reply.content_type = "text/plain";
  reply.body = std::move(body);
  return reply;
}

HttpReply stream_two(const HttpRequest&) {
  HttpReply reply;
  reply.content_type = "text/event-stream";
  reply.stream = [](const StreamWriter& write) {
    write("data: 1\n\n");
    write("");
    write("data: 2\n\n");
  };
  return reply;
}

}  // namespace

struct EdgeServer::Records {
  std::mutex mutex;
  std::vector<ReplyRecord> list;
  EdgeCounters counters;
};

EdgeServer::EdgeServer(const Change& change) : records_(std::make_shared<Records>()) {
  HttpServerOptions options;
  options.port = 0;
  options.on_reply = [records = records_](const ReplyRecord& record) {
    const std::lock_guard lock(records->mutex);
    records->list.push_back(record);
  };
  options.on_counters = [records = records_](const EdgeCounters& counters) {
    const std::lock_guard lock(records->mutex);
    records->counters = counters;
  };
  if (change) change(options);
  server_ = std::make_unique<HttpServer>(options, routes());
}

std::vector<ReplyRecord> EdgeServer::records() const {
  const std::lock_guard lock(records_->mutex);
  return records_->list;
}

EdgeCounters EdgeServer::counters() const {
  const std::lock_guard lock(records_->mutex);
  return records_->counters;
}

HttpReply EdgeServer::wait_like_a_picture(const HttpRequest& request) {
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(2);
  while (std::chrono::steady_clock::now() < until) {
    if (request.is_client_gone()) {
      ++abandoned_;
      throw Error(ErrorCode::Cancelled, "the client is gone");
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return text("waited");
}

std::vector<Route> EdgeServer::routes() {
  const auto counted = [this](HttpHandler handler) -> HttpHandler {
    return [this, handler = std::move(handler)](const HttpRequest& request) {
      ++handled_;
      return handler(request);
    };
  };
  const auto hello = [](const HttpRequest& request) { return text("hello " + request.client); };
  const auto empty = [](const HttpRequest&) {
    HttpReply reply;
    reply.status = 204;
    return reply;
  };
  const auto fail = [](const HttpRequest&) -> HttpReply { throw std::runtime_error("a secret"); };
  return {
      {"GET", "/hello", counted(hello)},
      {"POST", "/echo", counted([](const HttpRequest& request) { return text(request.body); })},
      {"POST", "/wait",
       counted([this](const HttpRequest& request) { return wait_like_a_picture(request); })},
      {"GET", "/stream", counted(stream_two)},
      {"GET", "/big", counted([](const HttpRequest&) { return text(std::string(8 << 20, 'x')); })},
      {"DELETE", "/thing/{id}", counted(empty)},
      {"GET", "/fail", counted(fail)},
      {"GET", "/healthz", counted(hello), /*needs_key=*/false, /*is_management=*/true},
      {"GET", "/metrics", counted(hello), true, true, /*moves_to_management_port=*/true},
  };
}

}  // namespace ssd1b
