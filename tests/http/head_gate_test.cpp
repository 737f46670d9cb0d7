#include "service/http/gate/head_gate.h"

#include <gtest/gtest.h>

#include "http/smuggling_cases.h"
#include "service/http/gate/request_reader.h"

namespace ssd1b {
namespace {

/// The status that the gate refuses a head with; 0 where it lets it through.
int status_of_head(const std::string& head) {
  const HeadEnd end = find_head_end(head, 0);
  if (end.fault) return end.fault->status;
  if (end.size == 0) return -1;
  const JudgedHead judged = examine_head(head.substr(0, end.size));
  return judged.fault ? judged.fault->status : 0;
}

RequestHead head_of(const std::string& text) {
  JudgedHead judged = examine_head(text);
  EXPECT_FALSE(judged.fault) << text;
  return std::move(judged.head);
}

TEST(HeadGate, TellsAWellFormedHeadThatIsRefused) {
  const JudgedHead refused = examine_head(
      "POST /x HTTP/1.1\r\nHost: a\r\nX-Request-Id: mine\r\nContent-Length: 300000\r\n\r\n");
  const JudgedHead malformed = examine_head("POST /x HTTP/1.1\r\nX-Request-Id: mine\r\n\r\n");

  ASSERT_TRUE(refused.fault && malformed.fault);
  EXPECT_EQ(refused.fault->status, 413);
  EXPECT_EQ(refused.head.path, "/x");
  EXPECT_EQ(*find_field(refused.head.fields, "x-request-id"), "mine");
  EXPECT_EQ(malformed.fault->status, 400);
  EXPECT_TRUE(malformed.head.fields.empty());
}

struct HeadCase {
  std::string head;
  int status;
};

class HeadTable : public testing::TestWithParam<HeadCase> {};

TEST_P(HeadTable, IsJudged) {
  EXPECT_EQ(status_of_head(GetParam().head), GetParam().status) << GetParam().head;
}

std::string post(const std::string& fields) {
  return "POST /echo HTTP/1.1\r\nHost: a\r\n" + fields + "\r\n";
}

std::string with_fields(int count) {
  std::string head = "GET / HTTP/1.1\r\nHost: a\r\n";
  for (int i = 1; i < count; ++i) head += "X-" + std::to_string(i) + ": y\r\n";
  return head + "\r\n";
}

std::string with_target_of(std::size_t bytes) {
  return "GET /" + std::string(bytes - 1, 'a') + " HTTP/1.1\r\nHost: a\r\n\r\n";
}

std::string of_size(std::size_t bytes) {
  const std::string begin = "GET / HTTP/1.1\r\nHost: a\r\nX: ";
  return begin + std::string(bytes - begin.size() - 4, 'y') + "\r\n\r\n";
}

INSTANTIATE_TEST_SUITE_P(
    HeadGate, HeadTable,
    testing::Values(
        HeadCase{"GET / HTTP/1.1\r\nHost: a\r\n\r\n", 0}, HeadCase{"GET / HTTP/1.0\r\n\r\n", 0},
        HeadCase{"GET / HTTP/1.1\r\nHost: [::1]:5000\r\n\r\n", 0},
        HeadCase{"GET / HTTP/1.1\r\nHost: a:65535\r\n\r\n", 0},
        HeadCase{"GET / HTTP/1.1\r\nHost: a:65536\r\n\r\n", 400},
        HeadCase{"GET / HTTP/1.1\r\nHOST:a.b-c_d:80\r\n\r\n", 0},
        HeadCase{"GET http://a/x?y HTTP/1.1\r\nHost: a\r\n\r\n", 0},
        HeadCase{"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", 0},
        HeadCase{"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n", 0},
        HeadCase{post("Content-Length: 262144\r\n"), 0},
        HeadCase{post("Content-Length: 005\r\n"), 0},
        HeadCase{post("Transfer-Encoding: chunked\r\n"), 0},
        HeadCase{post("transfer-encoding:chunked\r\n"), 0}, HeadCase{post("X:\r\n"), 0},
        HeadCase{post("X: \ta b\t \r\n"), 0}, HeadCase{post("X: 100%25\r\n"), 0},
        HeadCase{post("Expect: 100-Continue\r\n"), 0}, HeadCase{post("Expect: 200-ok\r\n"), 417},
        HeadCase{post("Content-Encoding: gzip\r\n"), 415},
        HeadCase{post("Content-Encoding: identity\r\n"), 415},
        HeadCase{post("Content-Length: 262145\r\n"), 413},
        HeadCase{post("Content-Length: 200000000\r\n"), 413},
        HeadCase{post("Content-Length: 999999999999999999\r\n"), 413},
        HeadCase{"BREW / HTTP/1.1\r\nHost: a\r\n\r\n", 501},
        HeadCase{"get / HTTP/1.1\r\nHost: a\r\n\r\n", 501},
        HeadCase{"CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n", 501},
        HeadCase{"TRACE / HTTP/1.1\r\nHost: a\r\n\r\n", 0},
        HeadCase{"BREW / HTTP/1.1\r\n\r\n", 400},
        HeadCase{"GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505},
        HeadCase{"GET / HTTP/1.2\r\nHost: a\r\n\r\n", 505},
        HeadCase{"GET / RTSP/1.0\r\nHost: a\r\n\r\n", 505}, HeadCase{"PRI * HTTP/2.0\r\n\r\n", 505},
        HeadCase{"POST / HTTP/3.0\r\nContent-Length: 1\r\n\r\n", 505},
        HeadCase{"POST / HTTP/3.0\r\nTransfer-Encoding: chunked\r\n\r\n", 505},
        HeadCase{"POST / HTTP/3.0\r\nHost: a\r\nContent-Length: 1\r\n"
                 "Transfer-Encoding: chunked\r\n\r\n",
                 400},
        HeadCase{"GET / HTTP/2.0\r\nHost: a\r\nContent-Length: 1\r\n\r\n", 400},
        HeadCase{with_fields(64), 0}, HeadCase{with_fields(65), 431},
        HeadCase{with_target_of(8192), 0}, HeadCase{with_target_of(8193), 414},
        HeadCase{with_target_of(20000), 414}, HeadCase{of_size(16384), 0},
        HeadCase{of_size(16385), 431}, HeadCase{of_size(1 << 20), 431},
        HeadCase{"\x16\x03\x01\x02", 400}));

TEST(HeadGate, RefusesEverySmugglingCaseWith400) {
  const auto cases = smuggling_cases();

  ASSERT_GE(cases.size(), 120u);
  for (const SmugglingCase& each : cases) {
    RequestReader reader;
    reader.append(each.bytes);
    RequestReader::Progress progress = reader.advance();
    while (progress == RequestReader::Progress::HeadRead) progress = reader.advance();
    ASSERT_EQ(progress, RequestReader::Progress::Refused) << each.name;
    EXPECT_EQ(reader.fault().status, 400) << each.name << ": " << reader.fault().message;
  }
}

TEST(HeadGate, RefusesAByteThatNoHeadHoldsBeforeTheHeadIsWhole) {
  EXPECT_EQ(status_of_head("GET / HTTP/1.1\r\nX: a\x01"), 400);
  EXPECT_EQ(status_of_head("GET / HTTP/1.1\n"), 400);
  EXPECT_EQ(status_of_head("GET / HTTP/1.1\rX"), 400);
  EXPECT_EQ(status_of_head("GET / HTTP/1.1\r"), -1);
  EXPECT_EQ(status_of_head("GET / HTTP/1.1\r\nX: a"), -1);
}

TEST(HeadGate, ReadsWhatTheHeadSays) {
  const RequestHead head = head_of(
      "POST /a%20b/c?d=%41 HTTP/1.1\r\nHost: a\r\nX-Thing:  two words \r\nContent-Length: 7\r\n"
      "Expect: 100-continue\r\nConnection: x, Close\r\n\r\n");

  EXPECT_EQ(head.method, "POST");
  EXPECT_EQ(head.path, "/a b/c");
  EXPECT_EQ(head.target, "/a%20b/c?d=%41");
  EXPECT_EQ(head.content_length, 7u);
  EXPECT_TRUE(head.expects_continue);
  EXPECT_FALSE(head.keeps_alive);
  ASSERT_NE(find_field(head.fields, "x-thing"), nullptr);
  EXPECT_EQ(*find_field(head.fields, "x-thing"), "two words");
}

TEST(HeadGate, TakesEscapedBreaksInWhatBrowsersSendOfOtherSites) {
  for (const char* field : {"Cookie: a=b%0Ac", "cookie: %00", "Referer: http://x/?q=%0d%0aX:y"}) {
    EXPECT_EQ(status_of_head(post(std::string(field) + "\r\n")), 0) << field;
  }
  const JudgedHead refused = examine_head(post("X-Name: a%0Ab\r\n"));
  ASSERT_TRUE(refused.fault);
  EXPECT_NE(refused.fault->message.find("X-Name must hold no %0a"), std::string::npos)
      << refused.fault->message;
}

TEST(HeadGate, TakesTheAuthorityOffATargetOfTheSameHost) {
  const RequestHead head = head_of("GET HTTP://A:80?x HTTP/1.1\r\nHost: a:80\r\n\r\n");

  EXPECT_EQ(head.path, "/");
  EXPECT_EQ(head.target, "/?x");
}

TEST(HeadGate, KeepsConnectionsAsTheVersionSays) {
  EXPECT_TRUE(head_of("GET / HTTP/1.1\r\nHost: a\r\n\r\n").keeps_alive);
  EXPECT_FALSE(head_of("GET / HTTP/1.0\r\n\r\n").keeps_alive);
  EXPECT_TRUE(head_of("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n").keeps_alive);
  EXPECT_FALSE(head_of("GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n").keeps_alive);
  EXPECT_FALSE(head_of("POST / HTTP/1.0\r\nExpect: 100-continue\r\n\r\n").expects_continue);
}

}  // namespace
}  // namespace ssd1b
