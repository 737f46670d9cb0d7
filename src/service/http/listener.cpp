#include "service/http/listener.h"

#include <fcntl.h>
#include <linux/filter.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <memory>

#include "service/http/connection.h"
#include "ssd1b/error.h"

namespace ssd1b {
namespace {

constexpr int kBacklog = 4096;

/// The number of the address, without a port; empty for a family that has none.
std::string text_of(const sockaddr_storage& address, socklen_t size) {
  char host[NI_MAXHOST] = {};
  const int failed = getnameinfo(reinterpret_cast<const sockaddr*>(&address), size, host,
                                 sizeof host, nullptr, 0, NI_NUMERICHOST);
  const std::string text = failed != 0 ? "" : host;
  constexpr const char* kMapped = "::ffff:";  // an IPv4 client of an IPv6 socket
  return text.rfind(kMapped, 0) == 0 ? text.substr(std::strlen(kMapped)) : text;
}

int port_of(int socket) {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  if (getsockname(socket, reinterpret_cast<sockaddr*>(&address), &size) != 0) return 0;
  const bool is_v6 = address.ss_family == AF_INET6;
  return ntohs(is_v6 ? reinterpret_cast<const sockaddr_in6&>(address).sin6_port
                     : reinterpret_cast<const sockaddr_in&>(address).sin_port);
}

Descriptor listening_on(const addrinfo& address) {
  Descriptor socket(::socket(address.ai_family, address.ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK,
                             address.ai_protocol));
  const int on = 1;
  if (!socket.is_open()) return socket;
  setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (bind(socket.get(), address.ai_addr, address.ai_addrlen) != 0 ||
      listen(socket.get(), kBacklog) != 0) {
    const int error = errno;
    socket.reset();
    errno = error;
  }
  return socket;
}

/// A client that vanishes, as by a cable, says nothing: it is asked for a sign of life.
void set_options(int connection) {
  struct Option {
    int level, name, value;
  };
  constexpr Option kOptions[] = {
      {IPPROTO_TCP, TCP_NODELAY, 1},           {SOL_SOCKET, SO_KEEPALIVE, 1},
      {IPPROTO_TCP, TCP_KEEPIDLE, 30},  // seconds
      {IPPROTO_TCP, TCP_KEEPINTVL, 10},        {IPPROTO_TCP, TCP_KEEPCNT, 3},
      {IPPROTO_TCP, TCP_USER_TIMEOUT, 60'000},  // ms, of what was sent and not acknowledged
  };
  for (const Option& each : kOptions) {
    setsockopt(connection, each.level, each.name, &each.value, sizeof each.value);
  }
}

Descriptor open_reserve() { return Descriptor(::open("/dev/null", O_RDONLY | O_CLOEXEC)); }

}  // namespace

Listener::Listener(const std::string& host, int port, AcceptFunction accept) : accept_(accept) {
  bind_to(host, port);
  port_ = port_of(socket_.get());
  reserve_ = open_reserve();
}

void Listener::bind_to(const std::string& host, int port) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  const int failed = getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &found);
  const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> addresses(found, freeaddrinfo);
  std::string reason = failed != 0 ? gai_strerror(failed) : "";
  for (const addrinfo* each = found; failed == 0 && each != nullptr; each = each->ai_next) {
    socket_ = listening_on(*each);
    if (socket_.is_open()) return;
    reason = std::strerror(errno);
  }
  throw Error(ErrorCode::SystemRefused,
              "cannot listen on " + host + " port " + std::to_string(port) + ": " + reason);
}

AcceptedSocket Listener::accept_next() {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  int fd = -1;
  do {
    size = sizeof address;
    fd = accept_(socket_.get(), reinterpret_cast<sockaddr*>(&address), &size,
                 SOCK_CLOEXEC | SOCK_NONBLOCK);
  } while (fd < 0 && errno == EINTR);
  if (fd < 0) {
    const bool is_empty = errno == EAGAIN || errno == EWOULDBLOCK;
    return {Descriptor(), "", is_empty ? 0 : errno};
  }
  set_options(fd);
  return {Descriptor(fd), text_of(address, size), 0};
}

Listener::Refusal Listener::refuse_next(const std::string& reply) {
  reserve_.reset();
  Refusal outcome = Refusal::Done;
  {
    const AcceptedSocket next = accept_next();
    if (next.socket.is_open()) {
      send_now(next.socket.get(), reply);
      shutdown(next.socket.get(), SHUT_WR);
      // What the client has sent is taken off, or closing would reset what it has not read yet.
      discard_input(next.socket.get(), 1 << 20);
    } else {
      outcome = next.error == 0 ? Refusal::NobodyWaits : Refusal::Failed;
    }
  }
  reserve_ = open_reserve();
  return outcome;
}

void Listener::let_nobody_in() {
  constexpr std::uint32_t kFlags = 13;  // their byte in a TCP header
  constexpr std::uint32_t kSyn = 0x02;
  constexpr std::uint32_t kWhole = 0xffffffff;
  sock_filter drops_syn[] = {BPF_STMT(BPF_LD | BPF_B | BPF_ABS, kFlags),
                             BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, kSyn, 0, 1),
                             BPF_STMT(BPF_RET | BPF_K, 0), BPF_STMT(BPF_RET | BPF_K, kWhole)};
  const sock_fprog program{4, drops_syn};
  // Where the system refuses, the moment of danger is as short as without.
  setsockopt(socket_.get(), SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program);
}

}  // namespace ssd1b
