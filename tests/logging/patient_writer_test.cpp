#include "logging/patient_writer.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <future>

namespace ssd1b {
namespace {

struct Pipe {
  Pipe() {
    if (::pipe2(ends, O_CLOEXEC) != 0) throw std::runtime_error("no pipe");
  }
  ~Pipe() {
    for (const int end : ends) {
      if (end >= 0) ::close(end);
    }
  }
  void close_reader() {
    ::close(ends[0]);
    ends[0] = -1;
  }
  std::string read_all(std::size_t bytes) {
    std::string text(bytes, '\0');
    std::size_t done = 0;
    while (done < bytes) {
      const ssize_t got = ::read(ends[0], text.data() + done, bytes - done);
      if (got <= 0) break;
      done += static_cast<std::size_t>(got);
    }
    text.resize(done);
    return text;
  }
  int ends[2] = {-1, -1};
};

TEST(PatientWriter, WritesLinesLongerThanThePipe) {
  Pipe pipe;
  PatientWriter writer(pipe.ends[1]);
  const std::string line = std::string(300000, 'x') + "\n";

  auto read = std::async(std::launch::async, [&] { return pipe.read_all(line.size()); });

  EXPECT_TRUE(writer.write(line));
  EXPECT_EQ(read.get(), line);
}

TEST(PatientWriter, IsNotCaughtByAPipeThatNobodyReads) {
  Pipe pipe;
  PatientWriter writer(pipe.ends[1]);
  writer.give_up_soon(/*wait_ms=*/100);
  const auto begin = std::chrono::steady_clock::now();

  int lost = 0;
  for (int i = 0; i < 1000; ++i) lost += writer.write(std::string(999, 'x') + "\n") ? 0 : 1;

  EXPECT_GT(lost, 900);
  EXPECT_LT(lost, 1000);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(2));
}

TEST(PatientWriter, RefusesAClosedDescriptor) {
  const int closed = ::dup(STDERR_FILENO);
  ::close(closed);
  PatientWriter writer(closed);

  EXPECT_FALSE(writer.write("line\n"));
}

TEST(PatientWriter, RefusesAPipeWhoseReaderIsGone) {
  std::signal(SIGPIPE, SIG_IGN);
  Pipe pipe;
  pipe.close_reader();
  PatientWriter writer(pipe.ends[1]);

  EXPECT_FALSE(writer.write("line\n"));
}

}  // namespace
}  // namespace ssd1b
