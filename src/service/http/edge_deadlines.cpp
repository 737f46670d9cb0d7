// When a connection's time is up, and the end of all of them: the part of EdgeLoop that looks at
// the clock.
#include <sys/socket.h>

#include <algorithm>
#include <chrono>
#include <thread>
#include <vector>

#include "service/http/edge_loop.h"

namespace ssd1b {
namespace {

constexpr std::chrono::milliseconds kExpiryGrain{10};
constexpr std::chrono::milliseconds kHandshake{1};
constexpr int kLastAccepts = 64;  // calls of accept_all, for a backlog that fills as fast

}  // namespace

void EdgeLoop::set_deadline(Connection& connection, Clock::time_point deadline) {
  connection.deadline = deadline;
  next_expiry_ = std::min(next_expiry_, deadline);
}

void EdgeLoop::expire_all() {
  if (now_ >= accept_again_at_ && !has_begun_stopping_) accept_again();
  std::vector<Connection*> expired;
  next_expiry_ = accept_again_at_;
  for (auto& [fd, connection] : connections_) {
    if (connection->phase == Phase::Handling) {
      if (now_ >= cut_off_at_) shutdown(fd, SHUT_RDWR);
    } else if (now_ >= connection->deadline) {
      expired.push_back(connection.get());
    } else {
      next_expiry_ = std::min(next_expiry_, connection->deadline);
    }
  }
  if (now_ < cut_off_at_) next_expiry_ = std::min(next_expiry_, cut_off_at_);
  next_expiry_ = std::max(next_expiry_, now_ + kExpiryGrain);
  for (Connection* connection : expired) {
    protect(connection->fd(), [&] { expire(*connection); });
  }
}

void EdgeLoop::expire(Connection& connection) {
  switch (connection.phase) {
    case Phase::Fresh:
    case Phase::Idle:
      if (has_unread_input(connection.fd())) return receive(connection);  // at the last moment
      return drop(connection);
    case Phase::Lingering:
      return drop(connection);
    case Phase::Head:
    case Phase::Body:
      return refuse(connection, Error(ErrorCode::RequestTimeout, "the request must come faster"));
    case Phase::Handling:
      return;
  }
}

/// Idle clients have a moment for a request that is on its way; its reply then says that the
/// connection closes.
void EdgeLoop::begin_draining() {
  has_begun_draining_ = true;
  for (auto& [fd, connection] : connections_) {
    if (connection->phase == Phase::Idle) set_deadline(*connection, now_ + kDrainingIdle);
  }
}

void EdgeLoop::begin_stopping() {
  has_begun_stopping_ = true;
  cut_off_at_ = std::max(now_ + settings_.deadlines.ending, handlers_until_.load());
  next_expiry_ = std::min(next_expiry_, cut_off_at_);
  // Those that have connected, or have begun to, are answered too.
  listener_.let_nobody_in();
  std::this_thread::sleep_for(kHandshake);
  for (int i = 0; i < kLastAccepts && has_unread_input(listener_.fd()); ++i) accept_all();
  listener_.close();
  accept_again_at_ = Clock::time_point::max();
  std::vector<Connection*> waiting;
  for (auto& [fd, connection] : connections_) {
    if (connection->phase != Phase::Handling) waiting.push_back(connection.get());
  }
  for (Connection* connection : waiting) {
    if (connection->phase == Phase::Head || connection->phase == Phase::Body) {
      refuse(*connection, Error(ErrorCode::ShuttingDown, kEnding));
    } else if (connection->phase == Phase::Lingering) {
      // Its reply has gone out long ago; what still comes must not hold up the end.
      connection->linger_until = std::min(connection->linger_until, now_ + kStoppingLinger);
      set_deadline(*connection, std::min(connection->deadline, connection->linger_until));
    } else {
      // Fresh and idle ones have a moment for a request that is on its way.
      set_deadline(*connection, now_ + kDrainingIdle);
    }
  }
}

}  // namespace ssd1b
