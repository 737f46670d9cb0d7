#include "apps/shut_down.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <functional>
#include <future>
#include <optional>
#include <string>
#include <system_error>

#include "logging/log.h"

namespace ssd1b {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kLookAround{50};
// GNU timeout and supervisors signal a process and then its whole group: one wish, two signals.
constexpr milliseconds kSameSignal{20};

milliseconds in_ms(double seconds) { return milliseconds(static_cast<long>(seconds * 1000.0)); }

/// Looks for a second signal for so long; one that comes ends the process.
class SecondSignal {
 public:
  explicit SecondSignal(const Signals& signals) : signals_(signals) {}

  void wait(milliseconds longest) const {
    const std::optional<int> signal = signals_.wait(longest);
    if (!signal || Clock::now() < counts_from_) return;
    write_last_line(std::string("ssd1b-server: ended at once by a second signal (") +
                    strsignal(*signal) + ")");
    _exit(128 + *signal);
  }

 private:
  const Signals& signals_;
  const Clock::time_point counts_from_ = Clock::now() + kSameSignal;
};

/// While load balancers take their time to look elsewhere; pointless once no worker is left.
void wait_out_grace(const SecondSignal& second, const Dispatcher& dispatcher,
                    Clock::time_point until) {
  while (Clock::now() < until && !dispatcher.fatal()) {
    const auto left = std::chrono::ceil<milliseconds>(until - Clock::now());
    second.wait(std::clamp(left, milliseconds(0), kLookAround));
  }
}

/// Does it on a thread of its own while this one looks for a second signal. Where the system gives
/// no thread it is done here: nothing is lost, but a second signal ends nothing sooner.
void run_watching(const SecondSignal& second, const std::function<void()>& end_all) {
  std::future<void> ended;
  try {
    ended = std::async(std::launch::async, end_all);
  } catch (const std::system_error& error) {
    log_warn("no thread to watch for a second signal", {{"reason", error.what()}});
    return end_all();
  }
  while (ended.wait_for(milliseconds(0)) != std::future_status::ready) {
    second.wait(kLookAround);
  }
  ended.get();
}

}  // namespace

void shut_down(const Signals& signals, const ServerOptions& options, HttpServer& server,
               Dispatcher& dispatcher) {
  const SecondSignal second(signals);
  const Clock::time_point now = Clock::now();
  const Clock::time_point until = now + in_ms(options.drain_timeout_s);
  log_info("shutting down", {{"drain_grace_s", options.drain_grace_s}});
  dispatcher.announce_drain();
  wait_out_grace(second, dispatcher, now + in_ms(options.drain_grace_s));
  run_watching(second, [&] {
    server.drain();
    dispatcher.drain(until);
    server.stop(until);
  });
  log_info("all requests are answered");
  if (const std::optional<Error> fatal = dispatcher.fatal()) throw *fatal;
}

}  // namespace ssd1b
