#include "service/routes/edge_options.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <cstdint>
#include <cstdio>
#include <utility>

#include "logging/log.h"
#include "service/http/keys/api_keys.h"

namespace ssd1b {
namespace {

constexpr std::uint8_t kLoopback = 127;  // first of the four numbers

}  // namespace

bool is_loopback(const std::string& host) {
  in_addr four{};
  if (inet_aton(host.c_str(), &four) != 0) return ntohl(four.s_addr) >> 24 == kLoopback;
  in6_addr six{};
  if (inet_pton(AF_INET6, host.c_str(), &six) != 1) return host == "localhost";
  return IN6_IS_ADDR_LOOPBACK(&six) || (IN6_IS_ADDR_V4MAPPED(&six) && six.s6_addr[12] == kLoopback);
}

HttpServerOptions edge_options(const ServerOptions& options, std::shared_ptr<ApiKeys> keys,
                               Metrics& metrics) {
  HttpServerOptions edge;
  edge.host = options.host;
  edge.port = options.port;
  edge.management_port = options.management_port;
  edge.max_connections = options.max_connections;
  edge.max_connections_per_address = options.max_connections_per_address;
  edge.cors_origins = options.cors_origins;
  edge.keys = std::move(keys);
  edge.on_reply = [&metrics](const ReplyRecord& record) {
    // What reached no route counts under one name: paths are the clients' own words.
    metrics.count_request(record.route.empty() ? "none" : record.route, record.status,
                          record.seconds);
  };
  edge.on_counters = [&metrics](const EdgeCounters& counters) {
    metrics.set_connections({counters.connections_open, counters.connections_accepted,
                             counters.connections_refused, counters.idle_connections_evicted});
    for (const auto& [error, count] : counters.accept_errors) {
      metrics.set_accept_errors(error, count);
    }
  };
  return edge;
}

void reload_keys(ApiKeys* keys) {
  try {
    if (keys) keys->reload();
    log_info("the keys were read again", {{"has_keys", keys != nullptr}});
  } catch (const Error& error) {
    log_error("the keys were not read again: the old ones stay", {{"why", error.what()}});
  }
}

std::shared_ptr<ApiKeys> keys_of(const ServerOptions& options) {
  if (!options.api_key_file) return nullptr;
  try {
    return std::make_shared<ApiKeys>(*options.api_key_file);
  } catch (const Error& error) {
    throw Error(error.code(), "--api-key-file (" + source_of(options.sources, "api-key-file") +
                                  "): " + error.what());
  }
}

void announce(const ServerOptions& options, int port, std::optional<int> management_port) {
  std::printf("listening on http://%s:%d\n", host_in_url(options.host).c_str(), port);
  if (std::fflush(stdout) != 0) {
    throw Error(ErrorCode::SystemRefused, "standard output cannot be written");
  }
  if (management_port) log_info("health and metrics have a port", {{"port", *management_port}});
  if (is_loopback(options.host) || options.api_key_file) return;
  log_warn("listening beyond this machine without --api-key-file: anyone who reaches it may use it",
           {{"host", options.host}});
}

}  // namespace ssd1b
