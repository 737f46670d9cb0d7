#include "worker_loop/worker_loop.h"

#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <optional>
#include <thread>
#include <utility>

#include "wire/channel.h"
#include "worker_loop/device_loop.h"
#include "worker_loop/mailboxes.h"

namespace ssd1b {
namespace {

/// How long the last messages may take to leave.
constexpr std::chrono::seconds kFarewell{2};

/// The io thread: between the channel and the mailboxes. It passes ticks on and never makes one, so
/// that a device thread that hangs is seen to hang.
class IoLoop {
 public:
  IoLoop(int descriptor, Inbox& inbox, Outbox& outbox)
      : channel_(descriptor), inbox_(inbox), outbox_(outbox) {}

  /// Runs until the device thread has ended and everything is written; the exit status.
  int run() {
    std::optional<Outbox::Content> end;
    std::chrono::steady_clock::time_point give_up_at;
    for (;;) {
      wait();
      receive();
      Outbox::Content content = outbox_.take();
      if (content.has_ticked) channel_.send(encode(TickMessage{}));
      for (WorkerMessage& message : content.messages) {
        channel_.send(encode(std::move(message)));
      }
      if (!channel_.flush()) _exit(0);  // the server is gone
      const auto now = std::chrono::steady_clock::now();
      if (content.is_closed && !end) {
        end = std::move(content);
        give_up_at = now + kFarewell;
      }
      if (end && (!channel_.has_unsent() || now > give_up_at)) {
        if (end->end == DeviceEnd::Lost) _exit(end->status);
        return end->status;
      }
    }
  }

 private:
  void wait() {
    const short wants = channel_.has_unsent() ? POLLIN | POLLOUT : POLLIN;
    pollfd entries[2] = {{channel_.descriptor(), wants, 0}, {outbox_.descriptor(), POLLIN, 0}};
    // The limit is for the farewell alone: everything else is an event.
    const int limit_ms = channel_.has_unsent() ? 100 : -1;
    while (poll(entries, 2, limit_ms) < 0 && errno == EINTR) {
    }
  }

  void receive() {
    try {
      Channel::Received received = channel_.receive();
      for (Frame& frame : received.frames) {
        inbox_.push(decode_server_message(std::move(frame)));
      }
      // Nobody is left to make pictures for: not even the unit in hand is finished.
      if (received.is_closed) _exit(0);
    } catch (const Error&) {
      _exit(exit_status_of(ErrorCode::DeviceLost));  // the server's bytes are garbled
    }
  }

  Channel channel_;
  Inbox& inbox_;
  Outbox& outbox_;
};

}  // namespace

int run_worker(int descriptor, const OpenEngine& open_engine) {
  Inbox inbox;
  Outbox outbox;
  IoLoop io(descriptor, inbox, outbox);
  DeviceLoop device(open_engine, inbox, outbox);
  std::thread device_thread([&] { device.run(); });
  const int status = io.run();
  device_thread.join();
  return status;
}

}  // namespace ssd1b
