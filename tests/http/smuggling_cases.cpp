#include "http/smuggling_cases.h"

namespace ssd1b {
namespace {

using namespace std::string_literals;

const std::string kNext = "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n";

/// Fields that make the framing of a POST ambiguous or wrong.
const std::vector<std::string> kBadFields = {
    "Content-Length: 5\r\nContent-Length: 5",
    "Content-Length: 5\r\nContent-Length: 6",
    "Content-Length: 5, 5",
    "Content-Length: 5,6",
    "Content-Length: 5 5",
    "Content-Length: +5",
    "Content-Length: -5",
    "Content-Length: -0",
    "Content-Length: 0x5",
    "Content-Length: 5.0",
    "Content-Length: 5e0",
    "Content-Length: 5;",
    "Content-Length: \"5\"",
    "Content-Length: five",
    "Content-Length:",
    "Content-Length: 18446744073709551621",
    "Content-Length: 9223372036854775808",
    "Content-Length: 00000000000000000000005",
    "Content-Length : 5",
    "Content-Length\t: 5",
    " Content-Length: 5",
    "\tContent-Length: 5",
    "Content-Length: 5\r\n 0",
    "Content-Length: \r\n 5",
    "Content-Length\r\n: 5",
    "Content_Length: 5",
    "Content-Length: 5\r\nTransfer-Encoding: chunked",
    "Transfer-Encoding: chunked\r\nContent-Length: 5",
    "Content-Length: 0\r\nTransfer-Encoding: chunked",
    "Transfer-Encoding: identity",
    "Transfer-Encoding: gzip",
    "Transfer-Encoding: gzip, chunked",
    "Transfer-Encoding: chunked, gzip",
    "Transfer-Encoding: chunked, identity",
    "Transfer-Encoding: identity, chunked",
    "Transfer-Encoding: chunked, chunked",
    "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
    "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity",
    "Transfer-Encoding: identity\r\nTransfer-Encoding: chunked",
    "Transfer-Encoding: x\r\nTransfer-Encoding: chunked",
    "Transfer-Encoding: xchunked",
    "Transfer-Encoding: chunkedx",
    "Transfer-Encoding: chunk",
    "Transfer-Encoding: Chunked",
    "Transfer-Encoding: cHuNkEd",
    "Transfer-Encoding: chunked ",
    "Transfer-Encoding: chunked\t",
    "Transfer-Encoding:  chunked",
    "Transfer-Encoding:\tchunked",
    "Transfer-Encoding: \"chunked\"",
    "Transfer-Encoding: 'chunked'",
    "Transfer-Encoding: chunked;",
    "Transfer-Encoding: chunked;q=1",
    "Transfer-Encoding: ,chunked",
    "Transfer-Encoding: chunked,",
    "Transfer-Encoding:",
    "Transfer-Encoding : chunked",
    "Transfer-Encoding\t: chunked",
    " Transfer-Encoding: chunked",
    "X: y\r\n Transfer-Encoding: chunked",
    "Transfer-Encoding:\r\n chunked",
    "Transfer-Encoding\r\n : chunked",
    "Transfer_Encoding: chunked",
    "Transfer-Encoding: chunked\nX: y",
    "X: y\nTransfer-Encoding: chunked",
    "X: y\rTransfer-Encoding: chunked",
    "Transfer-Encoding: \x0b"s + "chunked",
    "Transfer-Encoding: \x0c"s + "chunked",
    "Transfer-Encoding: chunked\x0b",
    "Transfer-Encoding: chunked\0"s,
    "Transfer-Encoding\0: chunked"s,
    "Transfer-Encoding\x80: chunked",
    "Transfer-Encoding: \xa0"s + "chunked",
    "Transfer-Encoding: %0d%0achunked",
    "X: a%0d%0aContent-Length: 5",
    "X: a%0D%0AContent-Length: 5",
    "X: a%00",
    "X: a\0b"s,
    "X: a\x7f",
    "X: \xff",
    "X\xc3\xa4: y",
    ": y",
    "no colon",
    "X(Y): z",
    "X Y: z",
    "\"X\": y",
    "Host: b",
    "host: a",
    "Content-Type: text/plain\r\nContent-Type: application/json",
};

/// Whole heads.
const std::vector<std::string> kBadHeads = {
    "GET /hello HTTP/1.1\r\n",           // no Host
    "GET /hello HTTP/1.1\r\nHost:\r\n",  // an empty one
    "GET /hello HTTP/1.1\r\nHost: a b\r\n",
    "GET /hello HTTP/1.1\r\nHost: a, b\r\n",
    "GET /hello HTTP/1.1\r\nHost: a/b\r\n",
    "GET /hello HTTP/1.1\r\nHost: a@b\r\n",
    "GET /hello HTTP/1.1\r\nHost: a:b\r\n",
    "GET  /hello HTTP/1.1\r\nHost: a\r\n",
    "GET /hello  HTTP/1.1\r\nHost: a\r\n",
    "GET\t/hello HTTP/1.1\r\nHost: a\r\n",
    "GET /hello\tHTTP/1.1\r\nHost: a\r\n",
    " GET /hello HTTP/1.1\r\nHost: a\r\n",
    "GET /hello HTTP/1.1 \r\nHost: a\r\n",
    "GET /hello\r\nHost: a\r\n",
    "GET\r\nHost: a\r\n",
    "GET /hello http/1.1\r\nHost: a\r\n",
    "GET /hello HTTP/1.1.1\r\nHost: a\r\n",
    "GET /hello HTTP/11\r\nHost: a\r\n",
    "GET /hello HTTP/ 1.1\r\nHost: a\r\n",
    "G@T /hello HTTP/1.1\r\nHost: a\r\n",
    "GET hello HTTP/1.1\r\nHost: a\r\n",
    "GET /a b HTTP/1.1\r\nHost: a\r\n",
    "GET /a%0d%0aX:y HTTP/1.1\r\nHost: a\r\n",
    "GET /a?b=%0D%0A HTTP/1.1\r\nHost: a\r\n",
    "GET /a%00 HTTP/1.1\r\nHost: a\r\n",
    "GET /a%zz HTTP/1.1\r\nHost: a\r\n",
    "GET /a%2 HTTP/1.1\r\nHost: a\r\n",
    "GET /\xc3\xa4 HTTP/1.1\r\nHost: a\r\n",
    "GET /a#b HTTP/1.1\r\nHost: a\r\n",
    "GET /a\\b HTTP/1.1\r\nHost: a\r\n",
    "GET http://other/hello HTTP/1.1\r\nHost: a\r\n",
    "GET * HTTP/1.1\r\nHost: a\r\n",
    "\r\n\r\nGET /hello HTTP/1.1\r\nHost: a\r\n",
    "\nGET /hello HTTP/1.1\r\nHost: a\r\n",
    "GET /hello HTTP/1.1\nHost: a\r\n",
    "GET /hello HTTP/1.1\rHost: a\r\n",
    "GET /hello HTTP/1.1\r\n Host: a\r\n",
    "GET /hello HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n",  // a body
    "HEAD /hello HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n",
    "GET /hello HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n",
    "POST /echo HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n",
};

/// Bodies behind `Transfer-Encoding: chunked`.
const std::vector<std::string> kBadChunks = {
    "-2\r\nab\r\n0\r\n\r\n",
    "+2\r\nab\r\n0\r\n\r\n",
    "0x2\r\nab\r\n0\r\n\r\n",
    "2h\r\nab\r\n0\r\n\r\n",
    " 2\r\nab\r\n0\r\n\r\n",
    "2 \r\nab\r\n0\r\n\r\n",
    "\r\nab\r\n0\r\n\r\n",
    ";x\r\nab\r\n0\r\n\r\n",
    "2\nab\n0\n\n",
    "2\rab\r\n0\r\n\r\n",
    "2\r\nab\n0\r\n\r\n",
    "2\r\nabc\r\n0\r\n\r\n",
    "2\r\nab0\r\n\r\n",
    "100000002\r\nab\r\n0\r\n\r\n",
    "FFFFFFFFFFFFFFFE\r\nab\r\n0\r\n\r\n",
    "10000000000000002\r\nab\r\n0\r\n\r\n",
    "2;x\nab\r\n0\r\n\r\n",
    "2;x\0\r\nab\r\n0\r\n\r\n"s,
    "2\r\nab\r\n0\r\nContent-Length: 5\r\n\r\n",
    "2\r\nab\r\n0\r\nTransfer-Encoding: chunked\r\n\r\n",
    "2\r\nab\r\n0\r\nHost: b\r\n\r\n",
    "2\r\nab\r\n0\r\n X: y\r\n\r\n",
    "2\r\nab\r\n0\r\nX y\r\n\r\n",
    "2\r\nab\r\n0\r\nX: y\n\r\n",
    "2\r\nab\r\n0\r\n\n",
};

}  // namespace

std::vector<SmugglingCase> smuggling_cases() {
  std::vector<SmugglingCase> cases;
  for (const std::string& field : kBadFields) {
    cases.push_back({"field: " + field,
                     "POST /echo HTTP/1.1\r\nHost: a\r\n" + field + "\r\n\r\n0\r\n\r\n" + kNext});
  }
  for (const std::string& head : kBadHeads) {
    cases.push_back({"head: " + head, head + "\r\n" + kNext});
  }
  for (const std::string& chunks : kBadChunks) {
    cases.push_back(
        {"chunks: " + chunks,
         "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks + kNext});
  }
  return cases;
}

}  // namespace ssd1b
