#include "service/http/http_server.h"

#include <utility>

#include "service/http/cors.h"
#include "service/http/descriptor_budget.h"
#include "service/http/doorkeeper.h"
#include "service/http/edge_loop.h"
#include "service/http/request_answer.h"
#include "service/http/request_threads.h"
#include "service/http/router.h"

namespace ssd1b {
namespace {

constexpr int kMaxManagementConnections = 256;

std::vector<Route> main_routes(std::vector<Route> routes, bool has_management_port) {
  std::vector<Route> kept;
  for (Route& route : routes) {
    if (!has_management_port || !route.moves_to_management_port) kept.push_back(std::move(route));
  }
  return kept;
}

std::vector<Route> management_routes(const std::vector<Route>& routes) {
  std::vector<Route> kept;
  for (const Route& route : routes) {
    if (route.is_management) kept.push_back(route);
  }
  return kept;
}

}  // namespace

/// One listener with its own routes.
struct Door {
  Door(const HttpServerOptions& options, int port, const EdgeSettings& settings, Doorkeeper of_door,
       RequestThreads& threads, RequestThreads& management_threads)
      : doorkeeper(std::move(of_door)),
        answerer(doorkeeper, options.deadlines, options.on_reply),
        loop(Listener(options.host, port), settings, answerer, threads, management_threads) {}

  const Doorkeeper doorkeeper;
  const RequestAnswerer answerer;
  EdgeLoop loop;
};

class HttpServer::Impl {
 public:
  Impl(const HttpServerOptions& options, std::vector<Route> routes)
      : max_connections_(connections_that_fit(
            options.max_connections, options.management_port ? kMaxManagementConnections : 0)),
        threads_(static_cast<std::size_t>(max_connections_)),
        management_threads_(static_cast<std::size_t>(max_connections_ + kMaxManagementConnections),
                            /*keeps_one=*/true) {
    if (options.management_port) {
      EdgeSettings settings{kMaxManagementConnections, std::nullopt, options.deadlines, nullptr};
      management_ =
          std::make_unique<Door>(options, *options.management_port, settings,
                                 Doorkeeper(Router(management_routes(routes)), nullptr, Cors({})),
                                 management_threads_, management_threads_);
    }
    EdgeSettings settings{max_connections_, options.max_connections_per_address, options.deadlines,
                          options.on_counters};
    Router router(main_routes(std::move(routes), options.management_port.has_value()));
    main_ = std::make_unique<Door>(
        options, options.port, settings,
        Doorkeeper(std::move(router), options.keys, Cors(options.cors_origins)), threads_,
        management_threads_);
  }

  Door& main() { return *main_; }
  Door* management() { return management_.get(); }

 private:
  const int max_connections_;  // of the main door
  // Requests of both doors run on them: they end last.
  RequestThreads threads_;
  RequestThreads management_threads_;
  std::unique_ptr<Door> management_;
  std::unique_ptr<Door> main_;
};

HttpServer::HttpServer(const HttpServerOptions& options, std::vector<Route> routes)
    : impl_(std::make_unique<Impl>(options, std::move(routes))) {}

HttpServer::~HttpServer() { stop(); }

int HttpServer::port() const { return impl_->main().loop.port(); }

std::optional<int> HttpServer::management_port() const {
  if (impl_->management() == nullptr) return std::nullopt;
  return impl_->management()->loop.port();
}

void HttpServer::drain() { impl_->main().loop.drain(); }

void HttpServer::stop(std::chrono::steady_clock::time_point until) {
  impl_->main().loop.stop(until);
  if (impl_->management() != nullptr) impl_->management()->loop.stop(until);
}

}  // namespace ssd1b
