#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "service/http/http_server.h"

namespace ssd1b {

/// An HttpServer on a free port with routes for tests: GET /hello, POST /echo, POST /wait (a
/// picture that takes 2 s, ends when the client is gone), GET /stream, GET /big (8 MiB), DELETE
/// /thing/{id}, GET /healthz and GET /metrics (management), GET /fail.
class EdgeServer {
 public:
  using Change = std::function<void(HttpServerOptions&)>;

  explicit EdgeServer(const Change& change = nullptr);

  int port() const { return server_->port(); }
  HttpServer& server() { return *server_; }
  int handled() const { return handled_; }      // requests that reached a handler
  int abandoned() const { return abandoned_; }  // pictures whose client went away
  std::vector<ReplyRecord> records() const;     // of every reply so far
  EdgeCounters counters() const;                // the last that were reported

 private:
  std::vector<Route> routes();
  HttpReply wait_like_a_picture(const HttpRequest& request);

  std::atomic<int> handled_{0};
  std::atomic<int> abandoned_{0};
  struct Records;
  std::shared_ptr<Records> records_;
  std::unique_ptr<HttpServer> server_;
};

}  // namespace ssd1b
