#include "service/http/connection.h"

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <array>
#include <thread>
#include <vector>

namespace ssd1b {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr std::size_t kSize = 2 << 20;

/// Two ends of a stream: the second one's thread takes 8 KiB, waits for `pause`, and so on.
class SlowReader {
 public:
  explicit SlowReader(milliseconds pause) {
    std::array<int, 2> ends{};
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()), 0);
    const int buffer = 16 * 1024;
    setsockopt(ends[0], SOL_SOCKET, SO_SNDBUF, &buffer, sizeof buffer);
    ours_ = Descriptor(ends[0]);
    theirs_ = Descriptor(ends[1]);
    thread_ = std::thread([this, pause] {
      std::array<char, 8 * 1024> taken;
      while (recv(theirs_.get(), taken.data(), taken.size(), 0) > 0) {
        std::this_thread::sleep_for(pause);
      }
    });
  }
  ~SlowReader() {
    shutdown(theirs_.get(), SHUT_RDWR);
    thread_.join();
  }

  int fd() const { return ours_.get(); }

 private:
  Descriptor ours_, theirs_;
  std::thread thread_;
};

TEST(SendPatiently, GivesUpOnAReaderThatTakesTooLongInAll) {
  const SlowReader reader(milliseconds(20));
  const std::vector<char> bytes(kSize);
  const auto began = Clock::now();

  const std::size_t sent =
      send_patiently(reader.fd(), bytes.data(), kSize, milliseconds(300), 20 * kSize);

  EXPECT_GT(sent, 0u);
  EXPECT_LT(sent, kSize);
  EXPECT_GE(Clock::now() - began, milliseconds(350));
}

TEST(SendPatiently, LetsAReaderTakeTheTimeOfTheSize) {
  const SlowReader reader(milliseconds(1));
  const std::vector<char> bytes(kSize);

  const std::size_t sent =
      send_patiently(reader.fd(), bytes.data(), kSize, milliseconds(200), kSize / 20);

  EXPECT_EQ(sent, kSize);
}

}  // namespace
}  // namespace ssd1b
