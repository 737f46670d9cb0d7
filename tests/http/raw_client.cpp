#include "http/raw_client.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <stdexcept>

namespace ssd1b {

RawClient::RawClient(int port) : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (connect(socket_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    throw std::runtime_error("no connection to port " + std::to_string(port));
  }
}

bool RawClient::send(const std::string& bytes) {
  std::size_t sent = 0;
  while (sent < bytes.size()) {
    const ssize_t size =
        ::send(socket_.get(), bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL);
    if (size < 0) return false;
    sent += static_cast<std::size_t>(size);
  }
  return true;
}

void RawClient::half_close() { shutdown(socket_.get(), SHUT_WR); }

void RawClient::wait_for_bytes() const {
  pollfd waits{socket_.get(), POLLIN, 0};
  poll(&waits, 1, 10'000);
}

bool RawClient::read_more(std::chrono::steady_clock::time_point until) {
  const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
      until - std::chrono::steady_clock::now());
  pollfd waits{socket_.get(), POLLIN, 0};
  if (was_closed_ || left.count() <= 0 || poll(&waits, 1, static_cast<int>(left.count())) <= 0) {
    return false;
  }
  char buffer[65536];
  const ssize_t size = recv(socket_.get(), buffer, sizeof buffer, 0);
  if (size > 0) {
    received_.append(buffer, static_cast<std::size_t>(size));
    return true;
  }
  was_closed_ = true;
  was_reset_ = size < 0 && errno == ECONNRESET;
  return false;
}

std::string RawClient::read_to_end(std::chrono::milliseconds patience) {
  const auto until = std::chrono::steady_clock::now() + patience;
  while (read_more(until)) {
  }
  return std::move(received_);
}

std::string RawClient::read_until(const std::string& text, std::chrono::milliseconds patience) {
  const auto until = std::chrono::steady_clock::now() + patience;
  while (received_.find(text) == std::string::npos && read_more(until)) {
  }
  return std::exchange(received_, "");
}

std::string RawClient::read_reply() {
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  std::size_t head_end = std::string::npos;
  while ((head_end = received_.find("\r\n\r\n")) == std::string::npos) {
    if (!read_more(until)) return std::exchange(received_, "");
  }
  const std::string length = header_of(received_, "Content-Length");
  const std::size_t size = head_end + 4 + (length.empty() ? 0 : std::stoul(length));
  while (received_.size() < size && read_more(until)) {
  }
  const std::string reply = received_.substr(0, size);
  received_.erase(0, size);
  return reply;
}

int count_replies(const std::string& bytes) {
  int count = 0;
  for (std::size_t at = bytes.find("HTTP/1.1 "); at != std::string::npos;
       at = bytes.find("HTTP/1.1 ", at + 1)) {
    ++count;
  }
  return count;
}

int first_status(const std::string& bytes) {
  const std::size_t at = bytes.find("HTTP/1.1 ");
  return at == std::string::npos ? 0 : std::stoi(bytes.substr(at + 9, 3));
}

std::string header_of(const std::string& bytes, const std::string& name) {
  const std::string head = bytes.substr(0, bytes.find("\r\n\r\n"));
  const std::size_t at = head.find("\r\n" + name + ": ");
  if (at == std::string::npos) return "";
  const std::size_t begin = at + name.size() + 4;
  return head.substr(begin, head.find("\r\n", begin) - begin);
}

}  // namespace ssd1b
