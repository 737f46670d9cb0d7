#pragma once

#include <sys/socket.h>

#include <string>

#include "descriptor/descriptor.h"

namespace ssd1b {

/// What came of one call of accept.
struct AcceptedSocket {
  Descriptor socket;    // non-blocking; closed where nothing came
  std::string address;  // of the peer, without its port
  int error = 0;        // errno; 0 with a closed socket: nobody waits
};

/// A listening socket that survives every error of accept. Used by one thread.
class Listener {
 public:
  using AcceptFunction = int (*)(int, sockaddr*, socklen_t*, int);

  /// Binds and listens. Throws Error(SystemRefused) naming host and port. `accept` is another than
  /// the system's in tests.
  Listener(const std::string& host, int port, AcceptFunction accept = ::accept4);

  int fd() const { return socket_.get(); }
  int port() const { return port_; }

  /// Takes the next connection; does not block.
  AcceptedSocket accept_next();

  /// Without a free descriptor no connection can be taken, and none refused either. So one is kept
  /// in reserve: it is given up for the next connection, `reply` is sent there, and it is taken
  /// back.
  enum class Refusal { Done, NobodyWaits, Failed };
  Refusal refuse_next(const std::string& reply);

  /// From now on nobody begins to connect. Without it a connection could come between the last
  /// accept and the close, and be reset.
  void let_nobody_in();
  void close() { socket_.reset(); }

 private:
  void bind_to(const std::string& host, int port);

  AcceptFunction accept_;
  Descriptor socket_;
  Descriptor reserve_;
  int port_ = 0;
};

}  // namespace ssd1b
