// How connections come in: the part of EdgeLoop that accepts, refuses and makes room.
#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "logging/log.h"
#include "memory/out_of_memory.h"
#include "service/http/descriptor_budget.h"
#include "service/http/edge_loop.h"

namespace ssd1b {
namespace {

constexpr int kAcceptsAtOnce = 64;  // then the connections that are there have their turn
constexpr std::chrono::milliseconds kShortestPause{10};
constexpr std::chrono::milliseconds kLongestPause{100};
constexpr std::chrono::milliseconds kRefusedLinger{100};

}  // namespace

void EdgeLoop::accept_all() {
  const OutOfMemory waits(OutOfMemory::Means::Wait);  // a connection is counted or closed
  bool has_progress = false;
  for (int i = 0; i < kAcceptsAtOnce; ++i) {
    AcceptedSocket accepted = listener_.accept_next();
    if (accepted.socket.is_open()) {
      has_progress = true;
      accept_pause_ = {};
      admit(std::move(accepted));
    } else if (accepted.error == 0) {
      return;
    } else {
      ++changed_counters().accept_errors[accepted.error];
      const Listener::Refusal outcome = make_room_after(accepted.error);
      if (outcome == Listener::Refusal::NobodyWaits) return;
      if (outcome == Listener::Refusal::Done) has_progress = true;
    }
  }
  // An error that stays must not keep the loop busy.
  if (!has_progress) pause_accepting();
}

/// Done where the next call has a better chance.
Listener::Refusal EdgeLoop::make_room_after(int accept_error) {
  if (accept_error != EMFILE && accept_error != ENFILE) return Listener::Refusal::Failed;
  if (evict_oldest_idle(nullptr)) return Listener::Refusal::Done;
  const Listener::Refusal outcome = listener_.refuse_next(answerer_.too_many_connections());
  if (outcome == Listener::Refusal::Done) ++changed_counters().connections_refused;
  return outcome;
}

void EdgeLoop::pause_accepting() {
  accept_pause_ = std::clamp(accept_pause_ * 2, kShortestPause, kLongestPause);
  // It stays in the set: adding it again might find no memory.
  watch_for(listener_.fd(), EPOLL_CTL_MOD, 0);
  accept_again_at_ = now_ + accept_pause_;
  next_expiry_ = std::min(next_expiry_, accept_again_at_);
}

void EdgeLoop::accept_again() {
  accept_again_at_ = Clock::time_point::max();
  if (!watch_for(listener_.fd(), EPOLL_CTL_MOD, EPOLLIN)) pause_accepting();
}

void EdgeLoop::admit(AcceptedSocket accepted) {
  const auto of_address = connections_of_address_.find(accepted.address);
  const bool is_address_full = settings_.max_connections_per_address &&
                               of_address != connections_of_address_.end() &&
                               of_address->second >= *settings_.max_connections_per_address;
  const bool has_place = is_address_full ? evict_oldest_idle(&accepted.address)
                                         : limited_connections_ < settings_.max_connections ||
                                               evict_oldest_idle(nullptr);
  if (!has_place) return refuse_connection(std::move(accepted));

  changed_counters().connections_open = ++limited_connections_;
  ++connections_of_address_[accepted.address];
  ++changed_counters().connections_accepted;
  auto owned = std::make_unique<Connection>(std::move(accepted.socket), accepted.address);
  Connection& connection = *owned;
  connections_[connection.fd()] = std::move(owned);
  set_deadline(connection, now_ + settings_.deadlines.head);
  if (!watch(connection, EPOLL_CTL_ADD)) return;
  receive(connection);  // mostly the request has come with the connection
}

void EdgeLoop::refuse_connection(AcceptedSocket accepted) {
  ++changed_counters().connections_refused;
  const int fd = accepted.socket.get();
  send_now(fd, answerer_.too_many_connections());
  shutdown(fd, SHUT_WR);
  const bool has_ended = discard_input(fd, buffer_.size());
  if (has_ended || refused_lingering_ >= refused_beside(settings_.max_connections)) return;

  ++refused_lingering_;
  auto owned = std::make_unique<Connection>(std::move(accepted.socket), accepted.address);
  Connection& connection = *owned;
  connection.phase = Phase::Lingering;
  connection.is_over_limit = true;
  connection.linger_until = now_ + kRefusedLinger;
  connections_[fd] = std::move(owned);
  set_deadline(connection, connection.linger_until);
  watch(connection, EPOLL_CTL_ADD);
}

/// Of one address, where it is given. Only connections between two requests: a client that has sent
/// nothing yet may be about to. Not one whose next request is here already.
bool EdgeLoop::evict_oldest_idle(const std::string* address) {
  Connection* oldest = nullptr;
  for (auto& [fd, connection] : connections_) {
    if (connection->phase != Phase::Idle) continue;
    if (address != nullptr && connection->address != *address) continue;
    const bool is_older = oldest == nullptr || connection->idle_since < oldest->idle_since;
    if (is_older && !has_unread_input(fd)) oldest = connection.get();
  }
  if (oldest == nullptr) return false;
  ++changed_counters().idle_connections_evicted;
  drop(*oldest);
  return true;
}

}  // namespace ssd1b
