#pragma once

#include <chrono>
#include <string>

#include "descriptor/descriptor.h"

namespace ssd1b {

/// A client that sends the bytes it is told to, to a port of this machine.
class RawClient {
 public:
  explicit RawClient(int port);

  /// Blocks until all is sent; false where the server has closed.
  bool send(const std::string& bytes);
  void half_close();
  void close() { socket_.reset(); }

  /// Blocks until there is something to read, for at most ten seconds; leaves it there.
  void wait_for_bytes() const;

  /// Everything until the server closes; what came so far where that takes longer than `patience`
  /// (then was_closed() is false). A reset counts as closing, and was_reset() tells.
  std::string read_to_end(std::chrono::milliseconds patience = std::chrono::seconds(10));

  /// Reads until `text` has come, at most for `patience`; everything that came.
  std::string read_until(const std::string& text,
                         std::chrono::milliseconds patience = std::chrono::seconds(10));

  /// The head and the body, as long as Content-Length says, of one reply.
  std::string read_reply();

  bool was_closed() const { return was_closed_; }
  bool was_reset() const { return was_reset_; }

 private:
  bool read_more(std::chrono::steady_clock::time_point until);

  Descriptor socket_;
  std::string received_;
  bool was_closed_ = false;
  bool was_reset_ = false;
};

/// How many replies begin in the bytes.
int count_replies(const std::string& bytes);

/// The status of the first reply; 0 where there is none.
int first_status(const std::string& bytes);

/// The value of the first header of that exact name; empty where there is none.
std::string header_of(const std::string& bytes, const std::string& name);

}  // namespace ssd1b
