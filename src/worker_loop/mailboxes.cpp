#include "worker_loop/mailboxes.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>
#include <utility>

namespace ssd1b {
namespace {

constexpr std::chrono::milliseconds kTickSpacing{20};

}  // namespace

void Inbox::push(ServerMessage message) {
  {
    const std::lock_guard lock(mutex_);
    messages_.push_back(std::move(message));
  }
  has_message_.notify_one();
}

std::optional<ServerMessage> Inbox::try_pop() {
  const std::lock_guard lock(mutex_);
  if (messages_.empty()) return std::nullopt;
  ServerMessage message = std::move(messages_.front());
  messages_.pop_front();
  return message;
}

ServerMessage Inbox::pop() {
  std::unique_lock lock(mutex_);
  has_message_.wait(lock, [&] { return !messages_.empty(); });
  ServerMessage message = std::move(messages_.front());
  messages_.pop_front();
  return message;
}

Outbox::Outbox() : event_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  if (event_ < 0) {
    throw Error(ErrorCode::SystemRefused,
                std::string("no descriptor for an event: ") + std::strerror(errno));
  }
}

Outbox::~Outbox() { ::close(event_); }

void Outbox::signal() {
  const std::uint64_t one = 1;
  // The only failure is a counter that is full already: the reader will wake all the same.
  [[maybe_unused]] const ssize_t written = write(event_, &one, sizeof one);
}

void Outbox::push(WorkerMessage message) {
  {
    const std::lock_guard lock(mutex_);
    content_.messages.push_back(std::move(message));
  }
  signal();
}

void Outbox::tick() {
  const auto now = std::chrono::steady_clock::now();
  if (now - last_tick_ < kTickSpacing) return;
  last_tick_ = now;
  {
    const std::lock_guard lock(mutex_);
    content_.has_ticked = true;
  }
  signal();
}

void Outbox::close(DeviceEnd end, int status) {
  {
    const std::lock_guard lock(mutex_);
    content_.is_closed = true;
    content_.end = end;
    content_.status = status;
  }
  signal();
}

Outbox::Content Outbox::take() {
  std::uint64_t count = 0;
  [[maybe_unused]] const ssize_t got = read(event_, &count, sizeof count);
  const std::lock_guard lock(mutex_);
  Content taken = std::move(content_);
  content_ = Content{};
  content_.is_closed = taken.is_closed;
  content_.end = taken.end;
  content_.status = taken.status;
  return taken;
}

}  // namespace ssd1b
