#include "service/http/http_server.h"

#include <gtest/gtest.h>

#include <thread>

#include "http/edge_server.h"
#include "http/raw_client.h"
#include "http/smuggling_cases.h"
#include "service/http/healthcheck.h"

namespace ssd1b {
namespace {

using std::chrono::milliseconds;
using Clock = std::chrono::steady_clock;

const std::string kHello = "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n";
const std::string kLastHello = "GET /hello HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";

std::string post(const std::string& path, const std::string& body, const std::string& fields = "") {
  return "POST " + path + " HTTP/1.1\r\nHost: a\r\n" + fields +
         "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

/// Everything that the server says to these bytes until it closes.
std::string talk(const EdgeServer& server, const std::string& bytes) {
  RawClient client(server.port());
  client.send(bytes);
  const std::string reply = client.read_to_end();
  EXPECT_TRUE(client.was_closed()) << bytes;
  EXPECT_FALSE(client.was_reset()) << bytes;
  return reply;
}

TEST(HttpServer, AnswersWithTheFixedHeaders) {
  const EdgeServer server;

  const std::string reply = talk(server, kLastHello);

  EXPECT_EQ(first_status(reply), 200);
  EXPECT_EQ(header_of(reply, "Content-Length"), "6");
  EXPECT_EQ(header_of(reply, "X-Content-Type-Options"), "nosniff");
  EXPECT_EQ(header_of(reply, "Cache-Control"), "no-store");
  EXPECT_EQ(header_of(reply, "Connection"), "close");
  EXPECT_EQ(header_of(reply, "Server"), "");
  EXPECT_EQ(header_of(reply, "X-Request-Id").size(), 32u);
  EXPECT_EQ(header_of(reply, "Date").substr(25), " GMT");
  EXPECT_EQ(reply.substr(reply.size() - 6), "hello ");
}

TEST(HttpServer, AnswersHeadAsGetWithoutTheBody) {
  const EdgeServer server;

  const std::string reply =
      talk(server, "HEAD /hello HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");

  EXPECT_EQ(first_status(reply), 200);
  EXPECT_EQ(header_of(reply, "Content-Length"), "6");
  EXPECT_EQ(reply.substr(reply.size() - 4), "\r\n\r\n");
}

TEST(HttpServer, RefusesHeadWithoutABodyToo) {
  const EdgeServer server;

  const std::string reply =
      talk(server, "HEAD /hello HTTP/1.1\r\nHost: a\r\nExpect: a-miracle\r\n\r\n");

  EXPECT_EQ(first_status(reply), 417);
  EXPECT_EQ(reply.substr(reply.size() - 4), "\r\n\r\n");
}

TEST(HttpServer, RefusesWhatNoRouteTakes) {
  const EdgeServer server;

  const std::string missing = talk(server, "GET /no HTTP/1.0\r\n\r\n");
  const std::string other = talk(server, "PUT /echo HTTP/1.0\r\n\r\n");
  const std::string failed = talk(server, "GET /fail HTTP/1.0\r\n\r\n");

  EXPECT_EQ(first_status(missing), 404);
  EXPECT_NE(missing.find("\"code\":\"not_found\""), std::string::npos);
  EXPECT_EQ(first_status(other), 405);
  EXPECT_EQ(header_of(other, "Allow"), "POST");
  EXPECT_EQ(first_status(failed), 500);
  EXPECT_EQ(failed.find("secret"), std::string::npos);
}

TEST(HttpServer, TellsItsMethodsToWhoAsksForNoPath) {
  const EdgeServer server;

  const std::string reply = talk(server, "OPTIONS * HTTP/1.0\r\n\r\n");

  EXPECT_EQ(first_status(reply), 204);
  EXPECT_EQ(header_of(reply, "Allow"), "DELETE, GET, HEAD, OPTIONS, POST");
}

TEST(HttpServer, AnswersEachSmugglingCaseOnceWith400AndCloses) {
  const EdgeServer server;

  for (const SmugglingCase& each : smuggling_cases()) {
    const std::string reply = talk(server, each.bytes);
    EXPECT_EQ(first_status(reply), 400) << each.name;
    EXPECT_EQ(count_replies(reply), 1) << each.name << reply;
    EXPECT_EQ(header_of(reply, "Connection"), "close") << each.name;
  }
  EXPECT_EQ(server.handled(), 0);
}

TEST(HttpServer, AnswersPipelinedRequestsInOrderWhereverTheyAreSplit) {
  const EdgeServer server;
  const std::string three = post("/echo", "one") +
                            "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
                            "3\r\ntwo\r\n0\r\n\r\n" +
                            post("/echo", "three", "Connection: close\r\n");

  for (std::size_t cut = 1; cut < three.size(); ++cut) {
    RawClient client(server.port());
    client.send(three.substr(0, cut));
    client.send(three.substr(cut));
    const std::string replies = client.read_to_end();
    ASSERT_EQ(count_replies(replies), 3) << cut << replies;
    const std::size_t one = replies.find("\r\n\r\none");
    const std::size_t two = replies.find("\r\n\r\ntwo");
    const std::size_t last = replies.find("\r\n\r\nthree");
    ASSERT_TRUE(one < two && two < last && last != std::string::npos) << cut << replies;
  }
}

TEST(HttpServer, AnswersManyPipelinedRequests) {
  const EdgeServer server;
  std::string requests;
  for (int i = 0; i < 31; ++i) requests += kHello;

  EXPECT_EQ(count_replies(talk(server, requests + kLastHello)), 32);
}

TEST(HttpServer, KeepsConnectionsAsTheClientAsks) {
  const EdgeServer server;
  RawClient kept(server.port());
  kept.send(kHello);
  EXPECT_EQ(header_of(kept.read_reply(), "Connection"), "");
  kept.send("GET /hello HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
  EXPECT_EQ(header_of(kept.read_reply(), "Connection"), "keep-alive");
  kept.send("GET /no HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_EQ(first_status(kept.read_reply()), 404);  // an error is no reason to close
  kept.send("GET /hello HTTP/1.0\r\n\r\n");
  EXPECT_EQ(header_of(kept.read_to_end(), "Connection"), "close");
}

TEST(HttpServer, StreamsInChunksAndToOldClientsUpToTheClose) {
  const EdgeServer server;

  const std::string chunked =
      talk(server, "GET /stream HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
  const std::string plain = talk(server, "GET /stream HTTP/1.0\r\n\r\n");

  EXPECT_EQ(header_of(chunked, "Transfer-Encoding"), "chunked");
  EXPECT_NE(chunked.find("\r\n\r\n9\r\ndata: 1\n\n\r\n9\r\ndata: 2\n\n\r\n0\r\n\r\n"),
            std::string::npos)
      << chunked;
  EXPECT_EQ(header_of(plain, "Transfer-Encoding"), "");
  EXPECT_NE(plain.find("\r\n\r\ndata: 1\n\ndata: 2\n\n"), std::string::npos) << plain;
}

TEST(HttpServer, GivesBackTheClientsRequestId) {
  const EdgeServer server;

  const auto id_of = [&](const std::string& sent) {
    return header_of(talk(server, "GET /hello HTTP/1.0\r\nX-Request-Id: " + sent + "\r\n\r\n"),
                     "X-Request-Id");
  };

  EXPECT_EQ(id_of("my-id.7"), "my-id.7");
  EXPECT_EQ(id_of("a b").size(), 32u);
  EXPECT_EQ(id_of(std::string(65, 'a')).size(), 32u);
}

TEST(HttpServer, GivesNoRequestTheIdOfTheOneBefore) {
  const EdgeServer server;

  const std::string replies =
      talk(server, "GET /hello HTTP/1.1\r\nHost: a\r\nX-Request-Id: mine\r\n\r\nnonsense\r\n\r\n");
  const std::string second = replies.substr(replies.rfind("HTTP/1.1 "));

  EXPECT_EQ(header_of(replies, "X-Request-Id"), "mine");
  EXPECT_EQ(first_status(second), 400);
  EXPECT_EQ(header_of(second, "X-Request-Id").size(), 32u);
}

TEST(HttpServer, SendsNoContentWithoutALength) {
  const EdgeServer server;

  const std::string reply = talk(server, "DELETE /thing/7 HTTP/1.0\r\n\r\n");

  EXPECT_EQ(first_status(reply), 204);
  EXPECT_EQ(header_of(reply, "Content-Length"), "");
  EXPECT_EQ(reply.substr(reply.size() - 4), "\r\n\r\n");
}

TEST(HttpServer, InvitesABodyOnlyWhereItWillReadIt) {
  const EdgeServer server;
  RawClient good(server.port());
  good.send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n");
  EXPECT_EQ(good.read_until("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
  good.send("ab");
  EXPECT_EQ(first_status(good.read_reply()), 200);

  const std::string missing = talk(
      server, "POST /no HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n");
  EXPECT_EQ(first_status(missing), 404);
  const std::string huge = talk(server,
                                "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 300000\r\n"
                                "Expect: 100-continue\r\n\r\n");
  EXPECT_EQ(first_status(huge), 413);
}

TEST(HttpServer, LetsAClientThatStillSendsReadTheRefusal) {
  const EdgeServer server;
  const std::string much(1 << 20, 'x');
  RawClient client(server.port());
  client.send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 67108864\r\n\r\n");

  for (int i = 0; i < 64; ++i) ASSERT_TRUE(client.send(much)) << i;
  const std::string reply = client.read_to_end();

  EXPECT_EQ(first_status(reply), 413);
  EXPECT_NE(reply.find("body_too_large"), std::string::npos);
  EXPECT_FALSE(client.was_reset());
}

TEST(HttpServer, TellsTheHandlerWithinATenthOfASecondThatTheClientIsGone) {
  EdgeServer server;
  for (const bool only_half : {false, true}) {
    for (const std::string& behind : {std::string(), kHello}) {  // pipelined bytes do not hide it
      RawClient client(server.port());
      const int handled = server.handled();
      const int abandoned = server.abandoned();
      client.send(post("/wait", "x") + behind);
      while (server.handled() == handled) std::this_thread::sleep_for(milliseconds(1));

      const auto closed_at = Clock::now();
      only_half ? client.half_close() : client.close();
      while (server.abandoned() == abandoned && Clock::now() < closed_at + milliseconds(1500)) {
        std::this_thread::sleep_for(milliseconds(1));
      }

      EXPECT_EQ(server.abandoned(), abandoned + 1);
      EXPECT_LT(Clock::now() - closed_at, milliseconds(100));
    }
  }
}

TEST(HttpServer, AnswersAClientThatOnlyClosedItsSendingSide) {
  const EdgeServer server;
  RawClient client(server.port());
  client.send(kHello + kHello);
  client.half_close();

  EXPECT_EQ(count_replies(client.read_to_end()), 2);

  RawClient cut_short(server.port());
  cut_short.send("GET /hello HTTP/1.1\r\nHos");
  cut_short.half_close();
  EXPECT_EQ(first_status(cut_short.read_to_end()), 400);
}

TEST(HttpServer, KeepsMetricsOffTheMainPortWhereThereIsAnother) {
  EdgeServer server([](HttpServerOptions& options) { options.management_port = 0; });
  const auto status = [](int port, const std::string& path) {
    RawClient client(port);
    client.send("GET " + path + " HTTP/1.0\r\n\r\n");
    return first_status(client.read_to_end());
  };
  const int management = server.server().management_port().value();

  EXPECT_EQ(status(server.port(), "/metrics"), 404);
  EXPECT_EQ(status(server.port(), "/healthz"), 200);
  EXPECT_EQ(status(management, "/metrics"), 200);
  EXPECT_EQ(status(management, "/healthz"), 200);
  EXPECT_EQ(status(management, "/hello"), 404);
}

TEST(HttpServer, RecordsEveryReply) {
  EdgeServer server;
  talk(server, kLastHello);
  talk(server, "nonsense\r\n\r\n");
  server.server().stop();
  const auto records = server.records();

  ASSERT_EQ(records.size(), 2u);
  EXPECT_EQ(records[0].route, "/hello");
  EXPECT_EQ(records[0].status, 200);
  EXPECT_EQ(records[1].route, "");
  EXPECT_EQ(records[1].status, 400);
}

TEST(HttpServer, NamesTheAddressThatItCannotHave) {
  const EdgeServer server;
  HttpServerOptions options;
  options.port = server.port();
  const auto fault_of = [&] {
    try {
      const HttpServer second(options, {});
      return std::string("none");
    } catch (const Error& error) {
      return std::string(name_of(error.code())) + ": " + error.what();
    }
  };

  EXPECT_EQ(fault_of(), "system_refused: cannot listen on 127.0.0.1 port " +
                            std::to_string(server.port()) + ": Address already in use");
  options.host = "no such host";
  EXPECT_EQ(fault_of().rfind("system_refused: cannot listen on no such host", 0), 0u);
}

TEST(Healthcheck, TellsWhetherAServerIsWell) {
  auto server = std::make_unique<EdgeServer>();
  const std::string url = "http://127.0.0.1:" + std::to_string(server->port());

  EXPECT_TRUE(healthcheck(url));
  EXPECT_TRUE(healthcheck(url + "/hello"));
  EXPECT_FALSE(healthcheck(url + "/no"));
  EXPECT_TRUE(healthcheck(url + "?x=1")) << "asks /healthz too";
  server.reset();
  EXPECT_FALSE(healthcheck(url));
  for (const char* bad : {"", "127.0.0.1:5000", "https://a", "http://", "http://a b", "ftp://a"}) {
    EXPECT_THROW(healthcheck(bad), Error) << bad;
  }
}

}  // namespace
}  // namespace ssd1b
