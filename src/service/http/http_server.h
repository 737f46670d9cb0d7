#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "service/http/http.h"

namespace ssd1b {

struct HttpServerOptions {
  std::string host = "127.0.0.1";
  int port = 5000;  // 0: any free one
  std::optional<int> management_port;
  int max_connections = 2048;
  std::optional<int> max_connections_per_address;
  std::vector<std::string> cors_origins;
};

/// The hardened edge: listener, connection threads, head gate, deadlines, routes. Thread-safe.
class HttpServer {
 public:
  /// Binds and listens at once. Throws Error(SystemRefused) naming address and port.
  HttpServer(const HttpServerOptions& options, std::vector<Route> routes);
  ~HttpServer();  // stop()

  /// The port that the kernel gave.
  int port() const;

  /// New connections are refused or answered with `Connection: close`; requests that are being handled
  /// go on. Called when draining begins.
  void close_idle_connections();

  /// Ends the listener and every connection, waits for handlers to return.
  void stop();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace ssd1b
