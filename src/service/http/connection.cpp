#include "service/http/connection.h"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>

namespace ssd1b {

bool send_now(int fd, const std::string& bytes) {
  std::size_t sent = 0;
  while (sent < bytes.size()) {
    const ssize_t taken =
        send(fd, bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (taken > 0) sent += static_cast<std::size_t>(taken);
    if (taken < 0 && errno != EINTR) return false;
  }
  return true;
}

std::size_t send_patiently(int fd, const char* data, std::size_t size,
                           std::chrono::milliseconds patience, std::size_t bytes_per_s) {
  using Clock = std::chrono::steady_clock;
  Clock::time_point deadline = Clock::now() + patience;
  const std::chrono::milliseconds transfer(1000 * size / bytes_per_s);
  const Clock::time_point last_deadline = deadline + transfer;
  std::size_t sent = 0;
  while (sent < size) {
    const ssize_t taken = send(fd, data + sent, size - sent, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (taken > 0) {
      sent += static_cast<std::size_t>(taken);
      deadline = std::min(Clock::now() + patience, last_deadline);
      continue;
    }
    if (taken < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR) break;
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now()).count();
    if (left <= 0) break;
    pollfd waits{fd, POLLOUT, 0};
    poll(&waits, 1, static_cast<int>(left));
  }
  return sent;
}

bool is_peer_gone(int fd) {
  pollfd asks{fd, POLLRDHUP, 0};
  return poll(&asks, 1, 0) > 0 && (asks.revents & (POLLRDHUP | POLLHUP | POLLERR | POLLNVAL)) != 0;
}

bool has_unread_input(int fd) {
  pollfd asks{fd, POLLIN, 0};
  return poll(&asks, 1, 0) > 0;
}

bool discard_input(int fd, std::size_t max_bytes) {
  char unused[64 * 1024];
  std::size_t discarded = 0;
  while (discarded < max_bytes) {
    // MSG_TRUNC: the kernel drops the bytes without copying them.
    const ssize_t taken = recv(fd, unused, sizeof unused, MSG_TRUNC | MSG_DONTWAIT);
    if (taken > 0) {
      discarded += static_cast<std::size_t>(taken);
    } else if (taken == 0 || (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)) {
      return true;
    } else if (errno != EINTR) {
      return false;
    }
  }
  return false;
}

}  // namespace ssd1b
