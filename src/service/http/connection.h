#pragma once

#include <chrono>
#include <cstddef>
#include <string>

#include "descriptor/descriptor.h"
#include "service/http/doorkeeper.h"
#include "service/http/gate/request_reader.h"

namespace ssd1b {

/// Where a connection is; every one is in exactly one of these.
///
///   Fresh --byte--> Head --end of head--> Body --end of body--> Handling --reply--> Idle --byte-->
///   Head
///
/// A request without a body goes from Head to Handling. Refusals, replies that end the connection
/// and deadlines lead to Lingering: our side is closed and what still comes is thrown away, so that
/// the client can read the reply before the socket goes.
enum class Phase { Fresh, Idle, Head, Body, Handling, Lingering };

/// One client's connection. Used by the loop's thread, and by the request's thread while Handling.
struct Connection {
  using Clock = std::chrono::steady_clock;

  Connection(Descriptor from_socket, std::string from_address)
      : socket(std::move(from_socket)), address(std::move(from_address)) {}

  int fd() const { return socket.get(); }

  Descriptor socket;
  const std::string address;
  Phase phase = Phase::Fresh;
  Clock::time_point deadline{};      // of the phase; Handling has none
  Clock::time_point idle_since{};    // of Idle
  Clock::time_point linger_until{};  // of Lingering, however much still comes
  bool is_over_limit = false;        // refused for the number of connections; not counted
  RequestReader reader;

  // Of the request that is read or handled.
  Clock::time_point arrived_at{};  // its first byte
  Clock::time_point body_began_at{};
  std::string request_id;
  Entry entry;
};

/// Sends what fits without blocking; whether that was all.
bool send_now(int fd, const std::string& bytes);

/// Sends everything, or less where the client took no byte for `patience`, took longer than that
/// and the time of all bytes at `bytes_per_s`, or is gone; how much. Blocks.
std::size_t send_patiently(int fd, const char* data, std::size_t size,
                           std::chrono::milliseconds patience, std::size_t bytes_per_s);

/// Whether the client has closed its sending side or the connection. Bytes that it sent before do
/// not hide it.
bool is_peer_gone(int fd);

/// Whether bytes or the end of the connection wait to be read.
bool has_unread_input(int fd);

/// Throws away up to `max_bytes` of what has come. Whether the end of the connection was among it.
bool discard_input(int fd, std::size_t max_bytes);

}  // namespace ssd1b
