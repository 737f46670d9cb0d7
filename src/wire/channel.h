#pragma once

#include <cstddef>
#include <deque>
#include <utility>
#include <vector>

#include "wire/frame.h"

namespace ssd1b {

/// One end of the socket pair between a server and its worker. Never blocks and never raises
/// SIGPIPE: its user waits with poll(). Used by one thread at a time; one may receive while another
/// sends.
class Channel {
 public:
  /// Owns the descriptor; makes it non-blocking and close-on-exec.
  explicit Channel(int descriptor);
  ~Channel();
  Channel(const Channel&) = delete;
  Channel& operator=(const Channel&) = delete;

  int descriptor() const { return descriptor_; }

  /// Puts a frame behind those that have not been written yet.
  void send(Frame frame);

  bool has_unsent() const { return !unsent_.empty(); }

  /// Whether the peer has not read all of it.
  bool has_unread() const;

  /// Writes what the socket takes. False once the peer is gone: what was not written is dropped.
  bool flush();

  struct Received {
    std::vector<Frame> frames;
    bool is_closed = false;  // the peer is gone; nothing more will come
  };

  /// Reads what is there. Throws Error(MalformedRequest) for bytes that are no frame.
  Received receive();

 private:
  int descriptor_;
  std::deque<std::vector<std::uint8_t>> unsent_;
  std::size_t first_written_ = 0;  // bytes of unsent_.front() that are out already
  FrameReader reader_;
  std::vector<std::uint8_t> buffer_;
};

/// Two connected descriptors, close-on-exec. Throws Error(SystemRefused).
std::pair<int, int> make_socket_pair();

}  // namespace ssd1b
