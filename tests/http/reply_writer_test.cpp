#include "service/http/reply_writer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <stdexcept>

namespace ssd1b {
namespace {

/// A reply to a client that takes at most so many bytes.
SentReply sent_to(std::size_t most, const HttpReply& reply) {
  RequestHead head;
  head.method = "GET";
  head.target = "/";
  std::size_t left = most;
  return answer(
      head, [&] { return reply; },
      [] {
        return ReplyFrame{/*keeps_connection=*/true, {}};
      },
      [&](const char*, std::size_t size) {
        const std::size_t taken = std::min(left, size);
        left -= taken;
        return taken;
      });
}

TEST(ReplyWriter, CountsWhatTheClientTookOfAReply) {
  HttpReply reply;
  reply.body = std::string(1000, 'x');

  const SentReply whole = sent_to(10000, reply);
  const SentReply cut = sent_to(100, reply);

  EXPECT_TRUE(whole.is_whole);
  EXPECT_GT(whole.bytes, 1000u);
  EXPECT_FALSE(cut.is_whole);
  EXPECT_EQ(cut.bytes, 100u);
}

TEST(ReplyWriter, NamesEveryStatusThatWeSend) {
  const auto first_line = [](int status) {
    HttpReply reply;
    reply.status = status;
    const std::string bytes = render_refusal(reply, {}, "GET");
    return bytes.substr(0, bytes.find("\r\n"));
  };

  EXPECT_EQ(first_line(499), "HTTP/1.1 499 Client Closed Request");
  EXPECT_EQ(first_line(500), "HTTP/1.1 500 Internal Server Error");
  for (int code = 0; code <= static_cast<int>(ErrorCode::SystemRefused); ++code) {
    const int status = status_of(static_cast<ErrorCode>(code));
    const bool has_words_of_500 = first_line(status).find("Server Error") != std::string::npos;
    EXPECT_EQ(has_words_of_500, status == 500) << status;
  }
}

TEST(ReplyWriter, TellsWhatBrokeAStreamOff) {
  HttpReply reply;
  reply.stream = [](const StreamWriter&) { throw std::runtime_error("odd"); };

  const SentReply sent = sent_to(10000, reply);

  EXPECT_FALSE(sent.is_whole);
  EXPECT_EQ(sent.fault, "odd");
}

}  // namespace
}  // namespace ssd1b
