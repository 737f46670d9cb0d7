#pragma once

#include <atomic>
#include <chrono>
#include <mutex>
#include <thread>
#include <vector>

#include "descriptor/wake_up.h"
#include "wire/channel.h"
#include "wire/messages.h"

namespace ssd1b {

/// A worker's end of the channel. The device thread sends and receives itself: a message costs no
/// change of threads. The watch, a thread of its own, does what cannot wait for the end of a unit
/// of work: it writes what the socket did not take at once, and ends the process when the server is
/// gone. It never makes a tick, so that a device thread that hangs is seen to hang.
///
/// Every function but the watch is the device thread's. Where the server is gone or its bytes are
/// garbled, they do not return but end the process, with 0 and 70.
class ServerLink {
 public:
  explicit ServerLink(int descriptor);  // takes it over; throws Error(SystemRefused)
  ~ServerLink();
  ServerLink(const ServerLink&) = delete;
  ServerLink& operator=(const ServerLink&) = delete;

  void send(WorkerMessage message);

  /// Sends it with the next message, or before the device thread waits.
  void send_with_next(WorkerMessage message);

  /// Says that the device thread has got on, where no message has said so for 20 ms. Cheap enough
  /// for every block of a network.
  void tick();

  /// What has come; does not block.
  std::vector<ServerMessage> receive();

  /// Sends what is left and blocks until something has come.
  std::vector<ServerMessage> wait_and_receive();

  /// Blocks until everything is written, two seconds at most.
  void finish_sending();

 private:
  void watch();  // the thread
  bool flush();  // whether everything is written

  Channel channel_;        // what it receives is the device thread's
  std::mutex send_mutex_;  // what it sends
  WakeUp wake_up_;         // of the watch
  std::atomic<bool> is_ending_{false};
  std::chrono::steady_clock::time_point last_sent_;
  std::thread watch_;  // last: it uses all of the above
};

}  // namespace ssd1b
