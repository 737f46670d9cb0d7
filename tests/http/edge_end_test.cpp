#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "http/edge_server.h"
#include "http/raw_client.h"

namespace ssd1b {
namespace {

using std::chrono::milliseconds;
using Clock = std::chrono::steady_clock;

const std::string kHello = "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n";

double seconds_since(Clock::time_point then) {
  return std::chrono::duration<double>(Clock::now() - then).count();
}

TEST(EdgeEnd, RepliesCloseTheirConnectionsOnceDrainingHasBegun) {
  EdgeServer server;
  RawClient idle(server.port());
  idle.send(kHello);
  idle.read_reply();
  RawClient busy(server.port());
  busy.send("POST /wait HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n");
  while (server.handled() < 2) std::this_thread::sleep_for(milliseconds(1));

  server.server().drain();
  EXPECT_EQ(idle.read_to_end(milliseconds(1000)), "");
  EXPECT_TRUE(idle.was_closed());
  RawClient late(server.port());
  late.send(kHello);
  EXPECT_EQ(header_of(late.read_to_end(), "Connection"), "close");
  const std::string reply = busy.read_to_end();
  EXPECT_EQ(first_status(reply), 200);
  EXPECT_EQ(header_of(reply, "Connection"), "close");
}

TEST(EdgeEnd, StopsAtOnceWhereNothingIsHandled) {
  EdgeServer server;
  std::vector<std::unique_ptr<RawClient>> clients;
  for (int i = 0; i < 100; ++i) {
    clients.push_back(std::make_unique<RawClient>(server.port()));
    clients.back()->send(i % 2 == 0 ? kHello : "GET /he");
    if (i % 2 == 0) clients.back()->read_reply();
  }
  const auto began = Clock::now();

  server.server().stop();

  EXPECT_LT(seconds_since(began), 0.3);
  EXPECT_EQ(first_status(clients[1]->read_to_end()), 503);
}

TEST(EdgeEnd, ARefusedClientThatSendsOnDoesNotHoldUpTheEnd) {
  EdgeServer server;
  RawClient client(server.port());
  client.send("BAD\r\n\r\n");
  ASSERT_EQ(first_status(client.read_reply()), 400);
  std::atomic<bool> is_over{false};
  std::thread trickle([&] {
    for (; !is_over; std::this_thread::sleep_for(milliseconds(20))) client.send("x");
  });
  std::this_thread::sleep_for(milliseconds(50));
  const auto began = Clock::now();

  server.server().stop();

  EXPECT_LT(seconds_since(began), 0.3);
  is_over = true;
  trickle.join();
}

TEST(EdgeEnd, StopAnswersThoseWhoHaveConnected) {
  EdgeServer server;
  std::vector<std::unique_ptr<RawClient>> clients;
  for (int i = 0; i < 100; ++i) {
    clients.push_back(std::make_unique<RawClient>(server.port()));
    clients.back()->send(kHello);
  }

  server.server().stop();

  for (const auto& client : clients) EXPECT_EQ(first_status(client->read_to_end()), 200);
}

TEST(EdgeEnd, StopLetsHandlersFinish) {
  EdgeServer server;
  RawClient client(server.port());
  client.send("POST /wait HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n");
  while (server.handled() == 0) std::this_thread::sleep_for(milliseconds(1));

  server.server().stop(Clock::now() + std::chrono::seconds(10));

  EXPECT_EQ(first_status(client.read_to_end()), 200);
}

/// Begins to stop while the head of a reply that is too large to have left is on its way to the
/// client, and the connection's next request is promised an answer.
std::thread stop_amid_a_large_reply(EdgeServer& server, RawClient& client,
                                    Clock::time_point until = {}) {
  client.send("GET /big HTTP/1.1\r\nHost: a\r\n\r\n");
  client.wait_for_bytes();
  std::thread stops([&server, until] { server.server().stop(until); });
  std::this_thread::sleep_for(milliseconds(100));
  return stops;
}

TEST(EdgeEnd, StopAnswersTheNextRequestOfAClientThatWasPromisedSo) {
  EdgeServer server;
  RawClient client(server.port());
  std::thread stops = stop_amid_a_large_reply(server, client);

  const std::string reply = client.read_reply();
  client.send(kHello);
  const std::string next = client.read_to_end();
  stops.join();

  EXPECT_EQ(header_of(reply, "Connection"), "");
  EXPECT_EQ(first_status(next), 200);
  EXPECT_EQ(header_of(next, "Connection"), "close");
}

TEST(EdgeEnd, StopCutsRepliesOffOnlyWhenTheirTimeIsOver) {
  const auto shorten = [](HttpServerOptions& options) {
    options.deadlines.ending = milliseconds(200);
  };
  for (const bool has_time : {false, true}) {
    EdgeServer server(shorten);
    RawClient client(server.port());
    const auto until = Clock::now() + std::chrono::seconds(has_time ? 10 : 0);
    std::thread stops = stop_amid_a_large_reply(server, client, until);
    std::this_thread::sleep_for(milliseconds(300));

    const bool is_whole = client.read_reply().size() > 8 << 20;
    client.close();
    stops.join();

    EXPECT_EQ(is_whole, has_time);
  }
}

}  // namespace
}  // namespace ssd1b
