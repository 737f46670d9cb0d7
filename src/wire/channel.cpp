#include "wire/channel.h"

#include <fcntl.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <iterator>
#include <utility>

namespace ssd1b {
namespace {

constexpr std::size_t kReadBytes = 64 * 1024;
constexpr int kReadsAtOnce = 32;  // then other descriptors have their turn
constexpr std::size_t kPiecesAtOnce = 16;

}  // namespace

Channel::Channel(int descriptor) : descriptor_(descriptor), buffer_(kReadBytes) {
  const int flags = fcntl(descriptor, F_GETFL);
  if (flags < 0 || fcntl(descriptor, F_SETFL, flags | O_NONBLOCK) < 0 ||
      fcntl(descriptor, F_SETFD, FD_CLOEXEC) < 0) {
    throw Error(ErrorCode::SystemRefused, "descriptor " + std::to_string(descriptor) +
                                              " cannot be used: " + std::strerror(errno));
  }
}

Channel::~Channel() { close(descriptor_); }

void Channel::send(Frame frame) {
  unsent_.push_back(encode_frame_head(frame));
  if (!frame.bytes.empty()) unsent_.push_back(std::move(frame.bytes));
}

bool Channel::has_unread() const {
  int bytes = 0;
  return has_unsent() || (ioctl(descriptor_, SIOCOUTQ, &bytes) == 0 && bytes > 0);
}

bool Channel::flush() {
  while (!unsent_.empty()) {
    std::array<iovec, kPiecesAtOnce> pieces;
    std::size_t count = 0;
    for (std::vector<std::uint8_t>& each : unsent_) {
      if (count == pieces.size()) break;
      const std::size_t written = count == 0 ? first_written_ : 0;
      pieces[count++] = {each.data() + written, each.size() - written};
    }
    msghdr message{};
    message.msg_iov = pieces.data();
    message.msg_iovlen = count;
    const ssize_t written = sendmsg(descriptor_, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (written < 0) {
      if (errno == EINTR) continue;
      if (errno == EAGAIN || errno == EWOULDBLOCK || errno == ENOBUFS) return true;
      unsent_.clear();
      first_written_ = 0;
      return false;
    }
    first_written_ += static_cast<std::size_t>(written);
    while (!unsent_.empty() && first_written_ >= unsent_.front().size()) {
      first_written_ -= unsent_.front().size();
      unsent_.pop_front();
    }
  }
  return true;
}

Channel::Received Channel::receive() {
  Received received;
  for (int i = 0; i < kReadsAtOnce; ++i) {
    const ssize_t count = recv(descriptor_, buffer_.data(), buffer_.size(), MSG_DONTWAIT);
    if (count > 0) {
      std::vector<Frame> frames = reader_.feed(buffer_.data(), static_cast<std::size_t>(count));
      std::move(frames.begin(), frames.end(), std::back_inserter(received.frames));
      continue;
    }
    if (count < 0 && errno == EINTR) continue;
    if (count < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return received;
    received.is_closed = true;  // the end of the stream, or ECONNRESET
    return received;
  }
  return received;
}

std::pair<int, int> make_socket_pair() {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0) {
    throw Error(ErrorCode::SystemRefused,
                std::string("no socket pair for a worker: ") + std::strerror(errno));
  }
  return {ends[0], ends[1]};
}

}  // namespace ssd1b
