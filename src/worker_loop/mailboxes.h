#pragma once

#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>

#include "wire/messages.h"

namespace ssd1b {

/// What the server has asked for, from the io thread to the device thread. Thread-safe.
class Inbox {
 public:
  void push(ServerMessage message);

  /// The oldest message; none where there is none.
  std::optional<ServerMessage> try_pop();

  /// Blocks until there is one.
  ServerMessage pop();

 private:
  std::mutex mutex_;
  std::condition_variable has_message_;
  std::deque<ServerMessage> messages_;
};

/// How the device thread has ended.
enum class DeviceEnd {
  Orderly,  // the process returns `status`
  Lost,     // the process ends at once: nothing of the device may be touched any more
};

/// What the device thread has to say, to the io thread. Thread-safe.
class Outbox {
 public:
  Outbox();  // throws Error(SystemRefused)
  ~Outbox();
  Outbox(const Outbox&) = delete;
  Outbox& operator=(const Outbox&) = delete;

  void push(WorkerMessage message);

  /// Says that the device thread has got on. Cheap enough for every block of a network: ticks that
  /// come within 20 ms of one another are one. Called by the device thread.
  void tick();

  /// The device thread's last word.
  void close(DeviceEnd end, int status);

  struct Content {
    std::deque<WorkerMessage> messages;
    bool has_ticked = false;
    bool is_closed = false;
    DeviceEnd end = DeviceEnd::Orderly;
    int status = 0;
  };

  /// Everything since the last call; does not block.
  Content take();

  /// Readable where take() would return something.
  int descriptor() const { return event_; }

 private:
  void signal();

  int event_;
  std::mutex mutex_;
  Content content_;
  std::chrono::steady_clock::time_point last_tick_;  // the device thread's own
};

}  // namespace ssd1b
