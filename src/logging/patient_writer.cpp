#include "logging/patient_writer.h"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace ssd1b {
namespace {

// A pipe that poll calls writable takes this many bytes without blocking.
constexpr std::size_t kPieceBytes = 4096;
constexpr int kPollMs = 20;

}  // namespace

void PatientWriter::give_up_soon(int wait_ms) { patience_ms_ = wait_ms; }

bool PatientWriter::wait_until_writable() {
  pollfd wanted{descriptor_, POLLOUT, 0};
  for (;;) {
    const int ready = ::poll(&wanted, 1, patience_ms_ == 0 ? 0 : kPollMs);
    // POLLOUT may come with POLLERR or POLLHUP: write then tells what is wrong.
    if (ready > 0) return (wanted.revents & POLLNVAL) == 0;
    if (ready < 0 && errno != EINTR) return false;
    const int patience = patience_ms_;
    if (patience == 0) return false;
    if (patience > 0) patience_ms_ = std::max(0, patience - kPollMs);
  }
}

bool PatientWriter::write(const std::string& line) {
  const std::string text = is_line_open_ ? "\n" + line : line;
  std::size_t done = 0;
  while (done < text.size()) {
    if (!wait_until_writable()) break;
    const std::size_t piece = std::min(kPieceBytes, text.size() - done);
    const ssize_t written = ::write(descriptor_, text.data() + done, piece);
    if (written > 0) {
      done += static_cast<std::size_t>(written);
    } else if (written < 0 && errno != EINTR && errno != EAGAIN) {
      break;
    }
  }
  if (done > 0) is_line_open_ = done < text.size();
  return done == text.size();
}

}  // namespace ssd1b
