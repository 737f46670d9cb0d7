#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <atomic>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <thread>

#include "http/edge_server.h"
#include "http/raw_client.h"
#include "service/http/edge_loop.h"
#include "service/http/keys/api_keys.h"

namespace ssd1b {
namespace {

using std::chrono::milliseconds;
using Clock = std::chrono::steady_clock;

const std::string kHello = "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n";

void shorten(HttpServerOptions& options) {
  options.deadlines.head = milliseconds(300);
  options.deadlines.body = milliseconds(300);
  options.deadlines.idle = milliseconds(300);
  options.deadlines.reply = milliseconds(300);
}

double seconds_since(Clock::time_point then) {
  return std::chrono::duration<double>(Clock::now() - then).count();
}

/// Sends a byte every 20 ms until the server closes; what it said.
std::string trickle(RawClient& client, const std::string& bytes) {
  for (const char c : bytes) {
    if (!client.send(std::string(1, c))) break;
    std::this_thread::sleep_for(milliseconds(20));
    if (client.was_closed()) break;
  }
  return client.read_to_end();
}

TEST(EdgeDeadlines, EndASlowHeadHoweverSteadilyItComes) {
  const EdgeServer server(shorten);
  RawClient client(server.port());
  const auto began = Clock::now();

  const std::string reply = trickle(client, "GET /hello HTTP/1.1\r\nX: " + std::string(30, 'y'));

  EXPECT_EQ(first_status(reply), 408);
  EXPECT_NE(reply.find("request_timeout"), std::string::npos);
  EXPECT_LT(seconds_since(began), 5);
}

TEST(EdgeDeadlines, EndASlowBodyOfEitherFraming) {
  const EdgeServer server(shorten);
  for (const char* framing :
       {"Content-Length: 1000\r\n\r\n", "Transfer-Encoding: chunked\r\n\r\n40\r\n"}) {
    RawClient client(server.port());
    client.send(std::string("POST /echo HTTP/1.1\r\nHost: a\r\n") + framing);

    EXPECT_EQ(first_status(trickle(client, std::string(40, 'x'))), 408);
  }
  EXPECT_EQ(server.handled(), 0);
}

TEST(EdgeDeadlines, GiveABodyTheTimeOfItsSize) {
  const EdgeServer server([](HttpServerOptions& options) {
    shorten(options);
    options.deadlines.transfer_bytes_per_s = 100;
  });
  RawClient client(server.port());
  client.send("POST /echo HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 100\r\n\r\n");
  std::this_thread::sleep_for(milliseconds(700));  // of 300 ms and a second
  client.send(std::string(100, 'x'));

  EXPECT_EQ(first_status(client.read_to_end()), 200);
}

TEST(EdgeDeadlines, CloseConnectionsThatSayNothing) {
  const EdgeServer server(shorten);
  RawClient fresh(server.port());
  RawClient idle(server.port());
  idle.send(kHello);
  idle.read_reply();
  const auto began = Clock::now();

  EXPECT_EQ(fresh.read_to_end(), "");
  EXPECT_EQ(idle.read_to_end(), "");
  EXPECT_TRUE(fresh.was_closed() && idle.was_closed());
  EXPECT_LT(seconds_since(began), 5);
}

TEST(EdgeDeadlines, GiveUpOnAReplyThatNobodyTakes) {
  EdgeServer server(shorten);
  RawClient client(server.port());
  client.send("GET /big HTTP/1.1\r\nHost: a\r\n\r\n");
  const auto began = Clock::now();
  while (server.records().empty() && seconds_since(began) < 5) {
    std::this_thread::sleep_for(milliseconds(10));
  }

  ASSERT_EQ(server.records().size(), 1u);
  EXPECT_GT(seconds_since(began), 0.25);
  EXPECT_LT(client.read_to_end().size(), 8u << 20);
}

TEST(EdgeLimits, RefuseConnectionsBeyondTheLimitAtOnce) {
  EdgeServer server([](HttpServerOptions& options) { options.max_connections = 3; });
  RawClient first(server.port());
  RawClient second(server.port());
  auto third = std::make_unique<RawClient>(server.port());

  RawClient fourth(server.port());
  const std::string reply = fourth.read_to_end();
  EXPECT_EQ(first_status(reply), 503);
  EXPECT_NE(reply.find("too_many_connections"), std::string::npos);
  EXPECT_NE(header_of(reply, "Retry-After"), "");

  third.reset();
  std::this_thread::sleep_for(milliseconds(50));
  RawClient fifth(server.port());
  fifth.send(kHello);
  EXPECT_EQ(first_status(fifth.read_reply()), 200);
  server.server().stop();
  EXPECT_EQ(server.counters().connections_refused, 1u);
  EXPECT_EQ(server.counters().connections_accepted, 4u);
  EXPECT_EQ(server.counters().connections_open, 0);
}

TEST(EdgeLimits, CloseTheOldestIdleConnectionForANewOne) {
  EdgeServer server([](HttpServerOptions& options) { options.max_connections = 2; });
  RawClient oldest(server.port());
  RawClient newer(server.port());
  for (RawClient* each : {&oldest, &newer}) {
    each->send(kHello);
    EXPECT_EQ(first_status(each->read_reply()), 200);
    std::this_thread::sleep_for(milliseconds(20));
  }

  RawClient third(server.port());
  third.send(kHello);
  EXPECT_EQ(first_status(third.read_reply()), 200);
  EXPECT_EQ(oldest.read_to_end(), "");
  EXPECT_TRUE(oldest.was_closed());
  newer.send(kHello);
  EXPECT_EQ(first_status(newer.read_reply()), 200);
}

TEST(EdgeLimits, CountConnectionsByAddress) {
  const EdgeServer server(
      [](HttpServerOptions& options) { options.max_connections_per_address = 1; });
  auto first = std::make_unique<RawClient>(server.port());
  RawClient second(server.port());
  EXPECT_EQ(first_status(second.read_to_end()), 503);

  first.reset();
  std::this_thread::sleep_for(milliseconds(50));
  RawClient third(server.port());
  third.send(kHello);
  EXPECT_EQ(first_status(third.read_reply()), 200);

  std::this_thread::sleep_for(milliseconds(50));
  RawClient fourth(server.port());  // idle connections make room here, too
  fourth.send(kHello);
  EXPECT_EQ(first_status(fourth.read_reply()), 200);
  EXPECT_EQ(third.read_to_end(), "");
}

TEST(EdgeLimits, AskForKeysBeforeTheBodyIsRead) {
  const auto path =
      std::filesystem::temp_directory_path() / ("ssd1b-edge-keys-" + std::to_string(::getpid()));
  std::ofstream(path) << "ann:secret concurrency=1\n";
  const EdgeServer server(
      [&](HttpServerOptions& options) { options.keys = std::make_shared<ApiKeys>(path); });
  const auto status = [&](const std::string& request) {
    RawClient client(server.port());
    client.send(request);
    return first_status(client.read_to_end());
  };
  const std::string close = "Host: a\r\nConnection: close\r\n";

  EXPECT_EQ(status("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n"), 401);
  EXPECT_EQ(status("GET /no HTTP/1.1\r\n" + close + "\r\n"), 401);
  EXPECT_EQ(status("GET /healthz HTTP/1.1\r\n" + close + "\r\n"), 200);
  EXPECT_EQ(status("HEAD /healthz HTTP/1.1\r\n" + close + "\r\n"), 200);
  EXPECT_EQ(status("POST /healthz HTTP/1.1\r\n" + close + "\r\n"), 401);
  EXPECT_EQ(status("GET /metrics HTTP/1.1\r\n" + close + "\r\n"), 401);
  for (int i = 0; i < 20; ++i) {  // the key's one place is free again at the end of each reply
    EXPECT_EQ(status("GET /hello HTTP/1.1\r\n" + close + "X-Api-Key: secret\r\n\r\n"), 200);
    EXPECT_EQ(status("GET /stream HTTP/1.1\r\n" + close + "X-Api-Key: secret\r\n\r\n"), 200);
  }
  EXPECT_EQ(status("GET /hello HTTP/1.1\r\n" + close +
                   "Authorization: Bearer secret\r\nAuthorization: Bearer secret\r\n\r\n"),
            400);
  EXPECT_EQ(
      status("GET /hello HTTP/1.1\r\n" + close + "X-Api-Key: secret\r\nX-Api-Key: secret\r\n\r\n"),
      400);
  std::filesystem::remove(path);
}

TEST(Listener, AsksClientsThatSayNothingForASignOfLife) {
  Listener listener("127.0.0.1", 0);
  const RawClient client(listener.port());
  const AcceptedSocket accepted = listener.accept_next();
  const auto option = [&](int level, int name) {
    int value = -1;
    socklen_t size = sizeof value;
    getsockopt(accepted.socket.get(), level, name, &value, &size);
    return value;
  };

  EXPECT_EQ(option(SOL_SOCKET, SO_KEEPALIVE), 1);
  EXPECT_EQ(option(IPPROTO_TCP, TCP_KEEPIDLE), 30);
  EXPECT_EQ(option(IPPROTO_TCP, TCP_USER_TIMEOUT), 60000);
}

// What the injected accept does next: so many failures with this errno.
std::atomic<int> g_failures_left{0};  // NOLINT
std::atomic<int> g_failure{0};        // NOLINT

int failing_accept(int fd, sockaddr* address, socklen_t* size, int flags) {
  int left = g_failures_left;
  while (left > 0 && !g_failures_left.compare_exchange_weak(left, left - 1)) {
  }
  if (left > 0) {
    errno = g_failure;
    return -1;
  }
  return ::accept4(fd, address, size, flags);
}

class AcceptErrors : public testing::TestWithParam<int> {};

TEST_P(AcceptErrors, AreSurvivedOnceAndAThousandTimes) {
  const Doorkeeper doorkeeper(
      Router({{"GET", "/hello", [](const HttpRequest&) { return HttpReply(); }}}), nullptr,
      Cors({}));
  const RequestAnswerer answerer(doorkeeper, EdgeDeadlines(), nullptr);
  RequestThreads threads(16);
  EdgeSettings settings;
  EdgeCounters last;
  settings.on_counters = [&](const EdgeCounters& counters) { last = counters; };
  EdgeLoop loop(Listener("127.0.0.1", 0, failing_accept), settings, answerer, threads, threads);
  g_failure = GetParam();
  for (const int failures : {1, 1000}) {
    g_failures_left = failures;
    const auto began = Clock::now();
    int status = 0;
    while (status != 200 && seconds_since(began) < 20) {  // with no descriptor free it may be 503
      RawClient client(loop.port());
      client.send("GET /hello HTTP/1.0\r\n\r\n");
      status = first_status(client.read_to_end());
    }
    EXPECT_EQ(status, 200) << failures;
    EXPECT_EQ(g_failures_left, 0);
  }
  loop.stop();
  EXPECT_EQ(last.accept_errors.count(GetParam()), 1u);
}

INSTANTIATE_TEST_SUITE_P(Errno, AcceptErrors,
                         testing::Values(ECONNABORTED, EMFILE, ENFILE, ENOBUFS, ENOMEM, EPERM,
                                         EPROTO, ENETDOWN, EINVAL));

}  // namespace
}  // namespace ssd1b
