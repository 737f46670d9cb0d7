#include "service/http/edge_loop.h"

#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <exception>
#include <functional>
#include <new>
#include <utility>

#include "logging/log.h"
#include "memory/out_of_memory.h"
#include "service/http/request_id.h"

namespace ssd1b {
namespace {

constexpr std::size_t kReadBytes = 128 * 1024;
constexpr std::size_t kDiscardBytes = 1024 * 1024;  // of one connection, before others have a turn

}  // namespace

EdgeLoop::EdgeLoop(Listener listener, const EdgeSettings& settings, const RequestAnswerer& answerer,
                   RequestThreads& threads, RequestThreads& management_threads)
    : settings_(settings),
      answerer_(answerer),
      threads_(threads),
      management_threads_(management_threads),
      listener_(std::move(listener)),
      epoll_(epoll_create1(EPOLL_CLOEXEC)),
      buffer_(kReadBytes, '\0'),
      now_(Clock::now()),
      port_(listener_.port()) {
  if (!epoll_.is_open()) {
    throw Error(ErrorCode::SystemRefused, "the system gave no epoll descriptor");
  }
  for (const int fd : {wake_up_.fd(), listener_.fd()}) {
    if (!watch_for(fd, EPOLL_CTL_ADD, EPOLLIN)) {
      throw Error(ErrorCode::SystemRefused, "the system lets epoll watch no listener");
    }
  }
  // Giving a connection back must not fail for want of memory.
  handled_.reserve(static_cast<std::size_t>(settings.max_connections));
  taken_back_.reserve(static_cast<std::size_t>(settings.max_connections));
  thread_ = std::thread([this] { run(); });
}

EdgeLoop::~EdgeLoop() { stop(); }

EdgeCounters& EdgeLoop::changed_counters() {
  has_counted_ = true;
  return counters_;
}

void EdgeLoop::report_counters() {
  if (!has_counted_ || !settings_.on_counters) return;
  has_counted_ = false;
  settings_.on_counters(counters_);
}

void EdgeLoop::drain() {
  is_draining_ = true;
  wake_up_.wake();
}

void EdgeLoop::stop(Clock::time_point until) {
  handlers_until_ = until;
  is_draining_ = true;
  is_stopping_ = true;
  wake_up_.wake();
  if (thread_.joinable()) thread_.join();
}

void EdgeLoop::run() {
  const OutOfMemory waits(OutOfMemory::Means::Wait);
  while (!has_begun_stopping_ || !connections_.empty()) {
    wait_for_events();
    take_back_handled();
    if (is_draining_ && !has_begun_draining_) begin_draining();
    if (is_stopping_ && !has_begun_stopping_) begin_stopping();
    if (now_ >= next_expiry_) expire_all();
    report_counters();
  }
}

void EdgeLoop::wait_for_events() {
  int timeout_ms = -1;
  if (next_expiry_ != Clock::time_point::max()) {
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(next_expiry_ - Clock::now());
    timeout_ms = static_cast<int>(std::clamp<std::int64_t>(left.count() + 1, 0, 60000));
  }
  std::array<epoll_event, 256> events;
  const int count =
      epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), timeout_ms);
  now_ = Clock::now();
  for (int i = 0; i < count; ++i) {
    const int fd = events[static_cast<std::size_t>(i)].data.fd;
    protect(fd, [&] { handle_event(fd); });
  }
}

/// Where there is no memory one connection pays, not all.
void EdgeLoop::protect(int fd, const std::function<void()>& act) {
  ErrorCode code = ErrorCode::InternalError;
  try {
    const OutOfMemory fails(OutOfMemory::Means::Fail);
    return act();
  } catch (const std::bad_alloc&) {
    code = ErrorCode::OutOfMemory;
    log_error("a connection is given up", {{"reason", "no memory"}});
  } catch (const std::exception& error) {
    log_error("a connection is given up", {{"reason", error.what()}});
  }
  const auto found = connections_.find(fd);
  if (found == connections_.end() || found->second->phase == Phase::Handling) return;
  Connection& connection = *found->second;
  if (connection.phase == Phase::Lingering) return drop(connection);
  refuse(connection, Error(code, "the server has no memory for this request"));
}

/// A descriptor may have been closed, and even given to another connection, by an event of the same
/// round; reading then finds nothing and waits on.
void EdgeLoop::handle_event(int fd) {
  if (fd == wake_up_.fd()) return wake_up_.clear();
  if (fd == listener_.fd()) return accept_all();
  const auto found = connections_.find(fd);
  if (found == connections_.end() || found->second->phase == Phase::Handling) return;
  Connection& connection = *found->second;
  if (connection.phase != Phase::Lingering) return receive(connection);

  if (discard_input(fd, kDiscardBytes)) return drop(connection);
  set_deadline(connection, std::min(now_ + settings_.deadlines.linger, connection.linger_until));
  watch(connection, EPOLL_CTL_MOD);
}

bool EdgeLoop::watch_for(int fd, int operation, std::uint32_t events) {
  epoll_event event{};
  event.events = events;
  event.data.fd = fd;
  return epoll_ctl(epoll_.get(), operation, fd, &event) == 0;
}

/// Every event is asked for again: a connection that is handled must not wake the loop. False where
/// the connection had to be dropped.
bool EdgeLoop::watch(Connection& connection, int operation) {
  const std::uint32_t events = EPOLLIN | EPOLLRDHUP | EPOLLONESHOT;
  if (watch_for(connection.fd(), operation, events)) return true;
  drop(connection);
  return false;
}

void EdgeLoop::receive(Connection& connection) {
  const ssize_t size = recv(connection.fd(), buffer_.data(), buffer_.size(), MSG_DONTWAIT);
  if (size > 0) {
    if (connection.reader.is_untouched()) connection.arrived_at = now_;
    connection.reader.append(std::string_view(buffer_.data(), static_cast<std::size_t>(size)));
    return advance(connection);
  }
  if (size < 0) {
    const bool is_early = errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
    if (!is_early) return drop(connection);
    watch(connection, EPOLL_CTL_MOD);
    return;
  }
  if (connection.reader.is_untouched()) return drop(connection);
  refuse(connection,
         Error(ErrorCode::MalformedRequest, "the connection ended before the request did"));
}

void EdgeLoop::advance(Connection& connection) {
  for (;;) {
    switch (connection.reader.advance()) {
      case RequestReader::Progress::NeedsBytes:
        return wait_for_bytes(connection);
      case RequestReader::Progress::HeadRead:
        if (!judge_head(connection)) return;
        break;
      case RequestReader::Progress::Complete:
        return begin_handling(connection);
      case RequestReader::Progress::Refused: {
        const GateFault& fault = connection.reader.fault();
        return refuse(connection, fault.status, Error(fault.code, fault.message));
      }
    }
  }
}

void EdgeLoop::wait_for_bytes(Connection& connection) {
  if (has_begun_stopping_ && !connection.reader.is_untouched()) {
    return refuse(connection, Error(ErrorCode::ShuttingDown, kEnding));
  }
  const EdgeDeadlines& deadlines = settings_.deadlines;
  if (connection.reader.is_reading_body()) {
    // The size of a body in chunks is known only as it comes.
    const RequestHead& head = connection.reader.head();
    const std::size_t bytes =
        head.is_chunked ? connection.reader.body_bytes() : head.content_length;
    const std::chrono::milliseconds transfer(1000 * bytes / deadlines.transfer_bytes_per_s);
    set_deadline(connection, connection.body_began_at + deadlines.body + transfer);
  } else if (!connection.reader.is_untouched() && connection.phase != Phase::Head) {
    // A fresh connection's time began when it was opened.
    if (connection.phase == Phase::Idle) set_deadline(connection, now_ + deadlines.head);
    connection.phase = Phase::Head;
  }
  watch(connection, EPOLL_CTL_MOD);
}

/// False where the head alone was reason to refuse.
bool EdgeLoop::judge_head(Connection& connection) {
  const RequestHead& head = connection.reader.head();
  connection.request_id = request_id_of(head.fields);
  connection.entry = answerer_.doorkeeper().judge(head, connection.address, connection.request_id);
  if (!head.has_body()) return true;
  if (connection.entry.reply) {
    refuse(connection, *connection.entry.reply);
    return false;
  }
  connection.phase = Phase::Body;
  connection.body_began_at = now_;
  if (head.expects_continue && !connection.reader.has_unread_bytes()) {
    send_now(connection.fd(), "HTTP/1.1 100 Continue\r\n\r\n");
  }
  return true;
}

void EdgeLoop::begin_handling(Connection& connection) {
  const Route* route = connection.entry.route;
  RequestThreads& threads =
      route != nullptr && route->is_management ? management_threads_ : threads_;
  const bool is_running = threads.run([this, &connection]() -> RequestThreads::Ending {
    const bool keeps = answerer_.answer(connection, [this] { return !is_draining_; });
    connection.entry = Entry();
    return [this, handled = Handled{&connection, keeps}] {
      const std::lock_guard lock(handled_mutex_);
      handled_.push_back(handled);
      // Under the lock: once the loop has this entry, nothing here is used any more.
      if (handled_.size() == 1) wake_up_.wake();
    };
  });
  if (is_running) {
    connection.phase = Phase::Handling;
  } else {
    refuse(connection,
           Error(ErrorCode::TooManyConnections, "the system gives no thread for this request"));
  }
}

void EdgeLoop::take_back_handled() {
  taken_back_.clear();
  {
    const std::lock_guard lock(handled_mutex_);
    taken_back_.swap(handled_);
  }
  for (const Handled& handled : taken_back_) {
    Connection& each = *handled.connection;
    each.phase = Phase::Idle;
    // Also while stopping: a client that was not told of the end may have sent its next request.
    protect(each.fd(), [&] { handled.keeps_connection ? begin_next(each) : linger(each); });
  }
}

void EdgeLoop::begin_next(Connection& connection) {
  connection.reader.begin_next();
  connection.idle_since = now_;
  connection.request_id.clear();
  connection.arrived_at = now_;  // where bytes of the next request are here already
  set_deadline(connection, now_ + (has_begun_draining_ ? kDrainingIdle : settings_.deadlines.idle));
  advance(connection);
}

void EdgeLoop::refuse(Connection& connection, const Error& error) {
  refuse(connection, status_of(error.code()), error);
}

void EdgeLoop::refuse(Connection& connection, int status, const Error& error) {
  if (connection.request_id.empty()) {
    connection.request_id = request_id_of(connection.reader.head().fields);
  }
  refuse(connection, error_reply(status, error, connection.request_id));
}

void EdgeLoop::refuse(Connection& connection, const HttpReply& reply) {
  send_now(connection.fd(), answerer_.refusal(connection, reply));
  linger(connection);
}

void EdgeLoop::linger(Connection& connection) {
  connection.phase = Phase::Lingering;
  connection.entry = Entry();
  shutdown(connection.fd(), SHUT_WR);
  if (discard_input(connection.fd(), kDiscardBytes)) return drop(connection);
  const EdgeDeadlines& deadlines = settings_.deadlines;
  connection.linger_until = now_ + (has_begun_stopping_ ? kStoppingLinger : deadlines.linger_total);
  set_deadline(connection, std::min(now_ + deadlines.linger, connection.linger_until));
  watch(connection, EPOLL_CTL_MOD);
}

void EdgeLoop::drop(Connection& connection) {
  if (connection.is_over_limit) {
    --refused_lingering_;
  } else {
    changed_counters().connections_open = --limited_connections_;
    const auto of_address = connections_of_address_.find(connection.address);
    if (--of_address->second == 0) connections_of_address_.erase(of_address);
  }
  connections_.erase(connection.fd());
}

}  // namespace ssd1b
