#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "service/http/http.h"

namespace ssd1b {

class ApiKeys;

/// How long a client may take. The defaults are the contract; tests shorten them.
struct EdgeDeadlines {
  std::chrono::milliseconds head{5000};          // all of it, from its first byte or the connection
  std::chrono::milliseconds body{10000};         // all of it, and the time of its bytes at
  std::size_t transfer_bytes_per_s = 64 * 1024;  // this speed
  std::chrono::milliseconds idle{75000};         // between two requests
  std::chrono::milliseconds reply{30000};        // without a byte taken; each write of it as a body
  std::chrono::milliseconds linger{1000};        // without a byte, after a reply that closes
  std::chrono::milliseconds linger_total{5000};  // however much still comes
  std::chrono::milliseconds ending{1000};        // what is handled when the service stops, at least
};

/// One reply that was sent, for the metrics. The access line is logged by the server itself.
struct ReplyRecord {
  std::string route;  // the pattern; empty where no route was reached
  int status = 0;
  double seconds = 0;  // from the request's first byte
};

/// What the listener has seen so far.
struct EdgeCounters {
  std::uint64_t connections_accepted = 0;
  std::uint64_t connections_refused = 0;  // for their number
  std::uint64_t idle_connections_evicted = 0;
  int connections_open = 0;
  std::map<int, std::uint64_t> accept_errors;  // by errno
};

struct HttpServerOptions {
  std::string host = "127.0.0.1";
  int port = 5000;  // 0: any free one
  std::optional<int> management_port;
  int max_connections = 2048;
  std::optional<int> max_connections_per_address;
  std::vector<std::string> cors_origins;
  std::shared_ptr<ApiKeys> keys;  // none: no key is asked for
  /// Called for every reply, on the thread that sent it; must not block and not throw.
  std::function<void(const ReplyRecord&)> on_reply;
  /// Called with the main listener's counters when they have changed, on its thread; must not block
  /// and not throw.
  std::function<void(const EdgeCounters&)> on_counters;
  EdgeDeadlines deadlines;
};

/// The hardened edge: listener, head gate, deadlines, keys, routes, request threads. Thread-safe.
class HttpServer {
 public:
  /// Binds and listens at once. Throws Error(SystemRefused) naming address and port.
  HttpServer(const HttpServerOptions& options, std::vector<Route> routes);
  ~HttpServer();  // stop()

  /// The port that the kernel gave.
  int port() const;
  std::optional<int> management_port() const;

  /// From now on every reply closes its connection, and idle connections are closed; requests are
  /// taken and handled as before. Called when draining begins.
  void drain();

  /// Ends the listener and, after a moment for requests that are on their way, the connections that
  /// wait; handlers have a few seconds to return and their replies to be taken, and in any case
  /// until `until`; then their connections are cut off. Blocks until they have returned.
  void stop(std::chrono::steady_clock::time_point until = {});

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace ssd1b
