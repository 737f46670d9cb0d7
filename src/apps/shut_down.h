#pragma once

#include "apps/signals.h"
#include "options/options.h"
#include "service/http/http_server.h"
#include "service/workers/dispatcher.h"

namespace ssd1b {

/// The one place that knows the order in which things end. Blocks until all that was accepted is
/// answered, or --drain-timeout has ended it. A second signal ends the process at once. Throws what
/// the workers failed of meanwhile, where none can be made ready.
void shut_down(const Signals& signals, const ServerOptions& options, HttpServer& server,
               Dispatcher& dispatcher);

}  // namespace ssd1b
