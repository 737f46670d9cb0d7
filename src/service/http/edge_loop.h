#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "descriptor/wake_up.h"
#include "service/http/connection.h"
#include "service/http/http_server.h"
#include "service/http/listener.h"
#include "service/http/request_answer.h"
#include "service/http/request_threads.h"

namespace ssd1b {

/// What one listener is given.
struct EdgeSettings {
  int max_connections = 2048;  // within the system's limit of descriptors
  std::optional<int> max_connections_per_address;
  EdgeDeadlines deadlines;
  std::function<void(const EdgeCounters&)> on_counters;  // as in HttpServerOptions; may be empty
};

/// One listener, the thread that owns its connections, and every state that they can be in: it
/// accepts, reads, refuses, hands whole requests to the request threads, keeps the deadlines and
/// closes. Slow and idle clients cost a table entry, no thread. Thread-safe.
class EdgeLoop {
 public:
  /// Serves at once. `answerer` and `threads` must outlive it. Throws Error(SystemRefused).
  EdgeLoop(Listener listener, const EdgeSettings& settings, const RequestAnswerer& answerer,
           RequestThreads& threads, RequestThreads& management_threads);
  ~EdgeLoop();  // stop()

  int port() const { return port_; }

  /// From now on replies close their connections, and idle ones are closed.
  void drain();
  /// See HttpServer::stop().
  void stop(Connection::Clock::time_point until = {});

 private:
  using Clock = Connection::Clock;

  // How long a connection stays open in the last phases of the service.
  static constexpr std::chrono::milliseconds kDrainingIdle{200};
  static constexpr std::chrono::milliseconds kStoppingLinger{100};
  static constexpr const char* kEnding = "the service is ending";

  void run();
  void wait_for_events();
  void handle_event(int fd);
  void protect(int fd, const std::function<void()>& act);

  // New connections (edge_accept.cpp).
  void accept_all();
  void admit(AcceptedSocket accepted);
  void refuse_connection(AcceptedSocket accepted);
  Listener::Refusal make_room_after(int accept_error);
  bool evict_oldest_idle(const std::string* address);
  void pause_accepting();
  void accept_again();

  // From phase to phase.
  void receive(Connection& connection);
  void advance(Connection& connection);
  void wait_for_bytes(Connection& connection);
  bool judge_head(Connection& connection);
  void begin_handling(Connection& connection);
  void take_back_handled();
  void begin_next(Connection& connection);
  void refuse(Connection& connection, const HttpReply& reply);
  void refuse(Connection& connection, const Error& error);
  void refuse(Connection& connection, int status, const Error& error);
  void linger(Connection& connection);
  void drop(Connection& connection);

  // Deadlines and the end (edge_deadlines.cpp).
  void set_deadline(Connection& connection, Clock::time_point deadline);
  void expire_all();
  void expire(Connection& connection);
  void begin_draining();
  void begin_stopping();

  bool watch_for(int fd, int operation, std::uint32_t events);
  bool watch(Connection& connection, int operation);
  EdgeCounters& changed_counters();
  void report_counters();

  const EdgeSettings settings_;
  const RequestAnswerer& answerer_;
  RequestThreads& threads_;
  RequestThreads& management_threads_;

  // Of the loop's thread.
  Listener listener_;
  Descriptor epoll_;
  WakeUp wake_up_;
  std::unordered_map<int, std::unique_ptr<Connection>> connections_;  // by descriptor
  std::unordered_map<std::string, int> connections_of_address_;
  int limited_connections_ = 0;  // that count against --max-connections
  int refused_lingering_ = 0;    // that do not
  std::string buffer_;
  struct Handled {
    Connection* connection;
    bool keeps_connection;
  };
  std::vector<Handled> taken_back_;
  Clock::time_point now_{};
  Clock::time_point next_expiry_ = Clock::time_point::max();
  Clock::time_point accept_again_at_ = Clock::time_point::max();  // not now
  std::chrono::milliseconds accept_pause_{0};
  EdgeCounters counters_;
  bool has_counted_ = false;  // since the last report
  bool has_begun_draining_ = false;
  bool has_begun_stopping_ = false;
  Clock::time_point cut_off_at_ = Clock::time_point::max();

  // Shared.
  const int port_;
  std::atomic<bool> is_draining_{false};
  std::atomic<bool> is_stopping_{false};
  std::atomic<Clock::time_point> handlers_until_{Clock::time_point()};
  std::mutex handled_mutex_;
  std::vector<Handled> handled_;

  std::thread thread_;  // last: it uses everything above
};

}  // namespace ssd1b
