#pragma once

#include <memory>
#include <optional>
#include <string>

#include "options/options.h"
#include "service/http/http_server.h"
#include "service/metrics/metrics.h"

namespace ssd1b {

/// What the edge needs of the server's options. `keys` may be null: no key is asked for. `metrics`
/// counts every reply and outlives the server.
HttpServerOptions edge_options(const ServerOptions& options, std::shared_ptr<ApiKeys> keys,
                               Metrics& metrics);

/// Whether only this machine reaches a host that --host names: localhost or an address.
bool is_loopback(const std::string& host);

/// Reads the keys again and logs how that went; a bad file leaves the old keys. `keys` may be null.
void reload_keys(ApiKeys* keys);

/// The keys of --api-key-file; null without one. Throws Error(Usage) naming option, file and line.
std::shared_ptr<ApiKeys> keys_of(const ServerOptions& options);

/// The one line of standard output: that the server listens, and where. The log has the port of
/// health and metrics, where they have one. Warns on standard error
/// where everybody who reaches the host's network may use it.
void announce(const ServerOptions& options, int port, std::optional<int> management_port);

}  // namespace ssd1b
