#include "worker_loop/server_link.h"

#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

namespace ssd1b {
namespace {

constexpr std::chrono::milliseconds kTickSpacing{20};
constexpr std::chrono::seconds kFarewell{2};  // that the last messages may take
constexpr int kFarewellPollMs = 100;

int wait_for(int descriptor, short events, int limit_ms) {
  pollfd entry{descriptor, events, 0};
  while (poll(&entry, 1, limit_ms) < 0 && errno == EINTR) {
  }
  return entry.revents;
}

}  // namespace

ServerLink::ServerLink(int descriptor) : channel_(descriptor) {
  watch_ = std::thread([this] { watch(); });
}

ServerLink::~ServerLink() {
  is_ending_ = true;
  wake_up_.wake();
  watch_.join();
}

void ServerLink::watch() {
  while (!is_ending_) {
    bool has_unsent = false;
    {
      const std::lock_guard lock(send_mutex_);
      has_unsent = channel_.has_unsent();
    }
    const short wants = has_unsent ? POLLOUT | POLLRDHUP : POLLRDHUP;
    pollfd entries[2] = {{channel_.descriptor(), wants, 0}, {wake_up_.fd(), POLLIN, 0}};
    if (poll(entries, 2, -1) < 0) continue;
    // Nobody is left to make pictures for: not even the unit in hand is finished.
    if ((entries[0].revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0) _exit(0);
    wake_up_.clear();
    flush();
  }
}

bool ServerLink::flush() {
  const std::lock_guard lock(send_mutex_);
  if (!channel_.flush()) _exit(0);
  return !channel_.has_unsent();
}

void ServerLink::send(WorkerMessage message) {
  last_sent_ = std::chrono::steady_clock::now();
  send_with_next(std::move(message));
  if (!flush()) wake_up_.wake();
}

void ServerLink::send_with_next(WorkerMessage message) {
  Frame frame = encode(std::move(message));
  const std::lock_guard lock(send_mutex_);
  channel_.send(std::move(frame));
}

void ServerLink::tick() {
  if (std::chrono::steady_clock::now() - last_sent_ >= kTickSpacing) send(TickMessage{});
}

std::vector<ServerMessage> ServerLink::receive() {
  std::vector<ServerMessage> messages;
  try {
    Channel::Received received = channel_.receive();
    if (received.is_closed) _exit(0);
    for (Frame& frame : received.frames) {
      messages.push_back(decode_server_message(std::move(frame)));
    }
  } catch (const Error&) {
    _exit(exit_status_of(ErrorCode::DeviceLost));  // the server's bytes are garbled
  }
  return messages;
}

std::vector<ServerMessage> ServerLink::wait_and_receive() {
  if (!flush()) wake_up_.wake();
  for (;;) {
    wait_for(channel_.descriptor(), POLLIN, /*limit_ms=*/-1);
    std::vector<ServerMessage> messages = receive();
    if (!messages.empty()) return messages;  // else a part of one has come
  }
}

void ServerLink::finish_sending() {
  const auto give_up_at = std::chrono::steady_clock::now() + kFarewell;
  while (!flush() && std::chrono::steady_clock::now() < give_up_at) {
    wait_for(channel_.descriptor(), POLLOUT, kFarewellPollMs);
  }
}

}  // namespace ssd1b
