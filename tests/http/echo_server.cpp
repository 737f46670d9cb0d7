// The edge with handlers that need nothing behind them, for tests that talk to it over sockets.
//   ssd1b-echo-server [name=value...]: see apply() for the names. Prints its ports, ends on
//   SIGTERM.
#include <pthread.h>
#include <signal.h>

#include <atomic>
#include <cstdlib>
#include <iostream>
#include <map>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>

#include "service/http/http_server.h"
#include "service/http/keys/api_keys.h"

namespace {

using ssd1b::HttpReply;
using ssd1b::HttpRequest;

std::atomic<int> g_abandoned{0};  // NOLINT: what /abandoned tells

HttpReply text(std::string body) {
  HttpReply reply;
  reply.content_type = "text/plain";
  reply.body = std::move(body);
  return reply;
}

/// At the end of the path.
int number_of(const HttpRequest& request, int otherwise) {
  return request.path_parameters.empty() ? otherwise : std::stoi(request.path_parameters.front());
}

/// What a route that makes pictures does: it waits, and notices that the client is gone.
HttpReply wait_like_a_picture(const HttpRequest& request) {
  using Clock = std::chrono::steady_clock;
  const auto until = Clock::now() + std::chrono::milliseconds(number_of(request, 100));
  while (Clock::now() < until) {
    if (request.is_client_gone()) {
      ++g_abandoned;
      throw ssd1b::Error(ssd1b::ErrorCode::Cancelled, "the client is gone");
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return text("waited " + request.body);
}

HttpReply stream_lines(const HttpRequest&) {
  HttpReply reply;
  reply.content_type = "text/event-stream";
  reply.stream = [](const ssd1b::StreamWriter& write) {
    for (int i = 0; i < 3 && write("data: " + std::to_string(i) + "\n\n"); ++i) {
    }
  };
  return reply;
}

HttpReply break_off(const HttpRequest&) {
  HttpReply reply;
  reply.content_type = "text/event-stream";
  reply.stream = [](const ssd1b::StreamWriter& write) {
    write("data: 1\n\n");
    throw std::runtime_error("a secret");
  };
  return reply;
}

HttpReply describe(const HttpRequest& request) {
  std::string body = request.client + "\n";
  for (const std::string& parameter : request.path_parameters) body += parameter + "\n";
  return text(body);
}

/// The last counters that the edge has reported.
class Counters {
 public:
  void set(const ssd1b::EdgeCounters& to) {
    const std::lock_guard lock(mutex_);
    counters_ = to;
  }
  ssd1b::EdgeCounters get() const {
    const std::lock_guard lock(mutex_);
    return counters_;
  }

 private:
  mutable std::mutex mutex_;
  ssd1b::EdgeCounters counters_;
};

HttpReply counters_reply(const ssd1b::EdgeCounters& counters) {
  std::string body = "open " + std::to_string(counters.connections_open) + "\nrefused " +
                     std::to_string(counters.connections_refused) + "\nevicted " +
                     std::to_string(counters.idle_connections_evicted) + "\n";
  for (const auto& [error, count] : counters.accept_errors) {
    body += "errno " + std::to_string(error) + " " + std::to_string(count) + "\n";
  }
  return text(body);
}

std::vector<ssd1b::Route> routes(const Counters& counters) {
  const auto health = [](const HttpRequest&) { return text("well\n"); };
  const auto echo = [](const HttpRequest& request) { return text(request.body); };
  const auto big = [](const HttpRequest& request) {
    return text(std::string(static_cast<std::size_t>(number_of(request, 1000)), 'x'));
  };
  const auto fail = [](const HttpRequest&) -> HttpReply { throw std::runtime_error("a secret"); };
  const auto gone = [](const HttpRequest&) {
    HttpReply reply;
    reply.status = 204;
    return reply;
  };
  const auto abandoned = [](const HttpRequest&) { return text(std::to_string(g_abandoned)); };
  return {
      {"GET", "/healthz", health, /*needs_key=*/false, /*is_management=*/true},
      {"GET", "/metrics", health, true, true, /*moves_to_management_port=*/true},
      {"GET", "/counters",
       [&counters](const HttpRequest&) { return counters_reply(counters.get()); }, false, true},
      {"GET", "/abandoned", abandoned, false, true},
      {"GET", "/hello", describe},
      {"GET", "/things/{id}", describe},
      {"DELETE", "/things/{id}", gone},
      {"POST", "/models/{name...}", describe},
      {"POST", "/echo", echo},
      {"POST", "/wait", wait_like_a_picture},
      {"POST", "/wait/{ms}", wait_like_a_picture},
      {"GET", "/stream", stream_lines},
      {"GET", "/big/{bytes}", big},
      {"GET", "/fail", fail},
      {"GET", "/break", break_off},
  };
}

void apply(const std::string& name, const std::string& value, ssd1b::HttpServerOptions& options) {
  using std::chrono::milliseconds;
  auto& deadlines = options.deadlines;
  const std::map<std::string, milliseconds*> times = {
      {"head_ms", &deadlines.head},     {"body_ms", &deadlines.body},
      {"idle_ms", &deadlines.idle},     {"reply_ms", &deadlines.reply},
      {"linger_ms", &deadlines.linger}, {"linger_total_ms", &deadlines.linger_total}};
  if (const auto time = times.find(name); time != times.end()) {
    *time->second = milliseconds(std::stoi(value));
  } else if (name == "port") {
    options.port = std::stoi(value);
  } else if (name == "management_port") {
    options.management_port = std::stoi(value);
  } else if (name == "max_connections") {
    options.max_connections = std::stoi(value);
  } else if (name == "max_connections_per_address") {
    options.max_connections_per_address = std::stoi(value);
  } else if (name == "keys") {
    options.keys = std::make_shared<ssd1b::ApiKeys>(value);
  } else if (name == "cors_origin") {
    options.cors_origins.push_back(value);
  } else {
    throw std::runtime_error("no option has the name " + name);
  }
}

}  // namespace

int main(int argc, char** argv) {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGHUP);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);

  ssd1b::HttpServerOptions options;
  options.port = 0;
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    apply(word.substr(0, word.find('=')), word.substr(word.find('=') + 1), options);
  }
  Counters counters;
  options.on_counters = [&counters](const ssd1b::EdgeCounters& seen) { counters.set(seen); };
  ssd1b::HttpServer server(options, routes(counters));
  std::cout << server.port() << " " << server.management_port().value_or(0) << std::endl;
  int signal = 0;
  sigwait(&signals, &signal);
  while (signal == SIGHUP) {  // draining begins, and goes on until SIGTERM
    server.drain();
    sigwait(&signals, &signal);
  }
  server.stop();
  return EXIT_SUCCESS;
}
