#include "service/http/gate/request_reader.h"

#include <gtest/gtest.h>

namespace ssd1b {
namespace {

using Progress = RequestReader::Progress;

const std::string kThree =
    "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello"
    "\r\nPOST /b HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    "3;x=\"y\"\r\nabc\r\n00A\r\n0123456789\r\n0\r\nX-Sum: 1\r\n\r\n"
    "GET /c HTTP/1.1\r\nHost: a\r\n\r\n";

/// Feeds the pieces and gives "path body|" for every request that came of them.
std::string read_all(const std::vector<std::string>& pieces) {
  RequestReader reader;
  std::string read;
  for (const std::string& piece : pieces) {
    reader.append(piece);
    for (Progress progress = reader.advance(); progress != Progress::NeedsBytes;
         progress = reader.advance()) {
      if (progress == Progress::Refused) return read + "refused";
      if (progress != Progress::Complete) continue;
      read += reader.head().path + " " + reader.body() + "|";
      reader.begin_next();
    }
  }
  return read + (reader.is_untouched() ? "" : "unfinished");
}

const std::string kAllThree = "/a hello|/b abc0123456789|/c |";

TEST(RequestReader, ReadsPipelinedRequestsInOrder) { EXPECT_EQ(read_all({kThree}), kAllThree); }

TEST(RequestReader, ReadsTheSameHoweverTwoCutsSplitTheBytes) {
  for (std::size_t i = 0; i <= kThree.size(); ++i) {
    for (std::size_t j = i; j <= kThree.size(); ++j) {
      const auto read = read_all({kThree.substr(0, i), kThree.substr(i, j - i), kThree.substr(j)});
      ASSERT_EQ(read, kAllThree) << i << " " << j;
    }
  }
}

TEST(RequestReader, ReadsByteByByte) {
  std::vector<std::string> bytes;
  for (const char c : kThree) bytes.emplace_back(1, c);

  EXPECT_EQ(read_all(bytes), kAllThree);
}

TEST(RequestReader, StopsAtTheFirstFault) {
  const std::string bad = "GET / HTTP/1.1\r\n\r\n";

  EXPECT_EQ(read_all({kThree + bad + kThree}), kAllThree + "refused");
}

/// The status of a chunked body of these bytes; 0 where it is whole, -1 where more is needed.
int status_of_chunks(const std::string& chunks) {
  ChunkedBody body;
  std::string_view rest = chunks;
  body.feed(rest);
  if (body.fault()) return body.fault()->status;
  return body.is_complete() ? 0 : -1;
}

std::string one_byte_chunks(std::size_t count) {
  std::string chunks;
  for (std::size_t i = 0; i < count; ++i) chunks += "1\r\nx\r\n";
  return chunks + "0\r\n\r\n";
}

TEST(ChunkedBody, TakesAsMuchAsABodyMayHaveAndNoByteMore) {
  const std::string most = "40000\r\n" + std::string(kMaxBodyBytes, 'x') + "\r\n0\r\n\r\n";

  EXPECT_EQ(status_of_chunks(most), 0);
  EXPECT_EQ(status_of_chunks("40001\r\n"), 413);
  EXPECT_EQ(status_of_chunks("FFFFFFFF\r\n"), 413);
  EXPECT_EQ(status_of_chunks(one_byte_chunks(kMaxBodyBytes)), 0);
  EXPECT_EQ(status_of_chunks(one_byte_chunks(kMaxBodyBytes + 1)), 413);
}

TEST(ChunkedBody, BoundsExtensionsAndTrailer) {
  const std::string long_text(5000, 'x');

  EXPECT_EQ(status_of_chunks("1;" + long_text), 400);
  EXPECT_EQ(status_of_chunks("0\r\nX: " + long_text), 400);
  EXPECT_EQ(status_of_chunks("0\r\nX: y\r\nZ: y\r\n\r\n"), 0);
  EXPECT_EQ(status_of_chunks("1;a;b=\"c d\"\r\nx\r\n0\r\n\r\n"), 0);
  EXPECT_EQ(status_of_chunks("1\r\nx\r\n0\r\n"), -1);
}

TEST(ChunkedBody, LeavesTheBytesOfTheNextRequest) {
  ChunkedBody body;
  std::string_view bytes = "2\r\nab\r\n0\r\n\r\nGET";
  body.feed(bytes);

  EXPECT_TRUE(body.is_complete());
  EXPECT_EQ(bytes, "GET");
  EXPECT_EQ(body.take(), "ab");
}

}  // namespace
}  // namespace ssd1b
