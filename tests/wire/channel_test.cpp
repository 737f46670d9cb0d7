#include "wire/channel.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include "wire/example_messages.h"

namespace ssd1b {
namespace {

TEST(Channel, CarriesEveryMessageBothWays) {
  const auto [one, other] = make_socket_pair();
  Channel server(one), worker(other);
  for (const Frame& each : example_frames()) server.send(each);

  ASSERT_TRUE(server.flush());
  const Channel::Received received = worker.receive();

  ASSERT_EQ(received.frames.size(), example_frames().size());
  EXPECT_FALSE(received.is_closed);
  for (std::size_t i = 0; i < received.frames.size(); ++i) {
    EXPECT_EQ(received.frames[i].json, example_frames()[i].json);
    EXPECT_EQ(received.frames[i].bytes, example_frames()[i].bytes);
  }
}

TEST(Channel, NeverBlocksOnAPictureLargerThanTheSocket) {
  const auto [one, other] = make_socket_pair();
  Channel worker(one), server(other);
  worker.send(encode(WorkerMessage(FinishedMessage{1, example_result(2048, 2048)})));

  ASSERT_TRUE(worker.flush());
  EXPECT_TRUE(worker.has_unsent());
  std::vector<Frame> got;
  for (int i = 0; i < 10000 && got.empty(); ++i) {
    got = server.receive().frames;
    ASSERT_TRUE(worker.flush());
  }

  ASSERT_EQ(got.size(), 1u);
  EXPECT_FALSE(worker.has_unsent());
  EXPECT_EQ(got[0].bytes, example_result(2048, 2048).image.rgb);
}

TEST(Channel, SaysThatThePeerIsGone) {
  const auto [one, other] = make_socket_pair();
  Channel server(one);
  {
    Channel worker(other);
    worker.send(encode(WorkerMessage(TickMessage{})));
    worker.flush();
  }
  server.send(encode(ServerMessage(StopMessage{})));

  EXPECT_FALSE(server.flush());  // and no SIGPIPE
  const Channel::Received received = server.receive();

  EXPECT_EQ(received.frames.size(), 1u);  // what it said before it went
  EXPECT_TRUE(received.is_closed);
}

TEST(Channel, RefusesGarbage) {
  const auto [one, other] = make_socket_pair();
  Channel server(one);
  const std::string garbage(100, 'x');
  ASSERT_EQ(send(other, garbage.data(), garbage.size(), 0), 100);

  EXPECT_THROW(server.receive(), Error);
  close(other);
}

TEST(Channel, IsNotInherited) {
  const auto [one, other] = make_socket_pair();
  Channel server(one), worker(other);

  EXPECT_TRUE(fcntl(server.descriptor(), F_GETFD) & FD_CLOEXEC);
  EXPECT_TRUE(fcntl(worker.descriptor(), F_GETFD) & FD_CLOEXEC);
  EXPECT_THROW(Channel(-1), Error);
}

}  // namespace
}  // namespace ssd1b
