#include "apps/shut_down.h"

#include <unistd.h>

#include <chrono>
#include <cstring>
#include <functional>
#include <future>
#include <string>
#include <system_error>

#include "logging/log.h"

namespace ssd1b {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kLookAround{50};

milliseconds in_ms(double seconds) { return milliseconds(static_cast<long>(seconds * 1000.0)); }

[[noreturn]] void end_at_once(int signal) {
  write_last_line(std::string("ssd1b-server: ended at once by a second signal (") +
                  strsignal(signal) + ")");
  _exit(128 + signal);
}

/// Does it on a thread of its own while this one looks for a second signal. Where the system gives
/// no thread it is done here: nothing is lost, but a second signal ends nothing sooner.
void run_watching(const Signals& signals, const std::function<void()>& end_all) {
  std::future<void> ended;
  try {
    ended = std::async(std::launch::async, end_all);
  } catch (const std::system_error& error) {
    log_warn("no thread to watch for a second signal", {{"reason", error.what()}});
    return end_all();
  }
  while (ended.wait_for(milliseconds(0)) != std::future_status::ready) {
    if (const auto signal = signals.wait(kLookAround)) end_at_once(*signal);
  }
  ended.get();
}

}  // namespace

void shut_down(const Signals& signals, const ServerOptions& options, HttpServer& server,
               Dispatcher& dispatcher) {
  const Clock::time_point until = Clock::now() + in_ms(options.drain_timeout_s);
  log_info("shutting down", {{"drain_grace_s", options.drain_grace_s}});
  dispatcher.announce_drain();
  if (const auto signal = signals.wait(in_ms(options.drain_grace_s))) end_at_once(*signal);
  run_watching(signals, [&] {
    server.drain();
    dispatcher.drain(until);
    server.stop(until);
  });
  log_info("all requests are answered");
}

}  // namespace ssd1b
