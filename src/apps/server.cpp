#include <sys/resource.h>

#include <chrono>
#include <cstdio>
#include <memory>

#include "apps/process_memory.h"
#include "apps/run_program.h"
#include "apps/shut_down.h"
#include "apps/signals.h"
#include "logging/log.h"
#include "memory/out_of_memory.h"
#include "options/options.h"
#include "service/http/healthcheck.h"
#include "service/http/http_server.h"
#include "service/http/keys/api_keys.h"
#include "service/routes/edge_options.h"
#include "service/routes/routes.h"
#include "service/workers/dispatcher.h"

namespace ssd1b {
namespace {

constexpr std::chrono::milliseconds kLookAround{50};

/// It would hold keys and prompts.
void leave_no_core_file() {
  const rlimit none{0, 0};
  setrlimit(RLIMIT_CORE, &none);
}

/// Blocks until a signal asks for the end. Throws what makes going on impossible.
void watch(const Signals& signals, const Dispatcher& dispatcher, const Service& service) {
  for (;;) {
    const std::optional<int> signal = signals.wait(kLookAround);
    service.forget_old();
    if (const std::optional<Error> fatal = dispatcher.fatal()) throw *fatal;
    if (signal) return;
  }
}

int serve(const ServerOptions& options) {
  share_heaps(2);  // of hundreds of request threads
  set_up_logging(options.log.level, options.log.format);
  leave_no_core_file();
  Signals signals;
  const std::shared_ptr<ApiKeys> keys = keys_of(options);
  signals.on_hang_up([&] { reload_keys(keys.get()); });
  Metrics metrics;
  Dispatcher dispatcher(options, metrics);
  const auto service = std::make_shared<Service>(options, dispatcher, metrics);
  HttpServer server(edge_options(options, keys, metrics), all_routes(service));
  announce(options, server.port(), server.management_port());
  const OutOfMemory waits(OutOfMemory::Means::Wait);
  watch(signals, dispatcher, *service);
  shut_down(signals, options, server, dispatcher);
  return 0;
}

int ask_health(const std::string& url) {
  if (healthcheck(url)) return 0;
  std::fprintf(stderr, "ssd1b-server: %s does not answer 200\n", url.c_str());
  return 1;
}

}  // namespace
}  // namespace ssd1b

int main(int argc, char** argv) {
  return ssd1b::run_program("ssd1b-server", [&] {
    const ssd1b::ServerOptions options = ssd1b::parse_server(argc, argv);
    if (options.text_to_print) return ssd1b::print_and_end(*options.text_to_print);
    if (options.healthcheck_url) return ssd1b::ask_health(*options.healthcheck_url);
    return ssd1b::serve(options);
  });
}
