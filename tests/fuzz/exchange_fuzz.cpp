// Any bytes as what a connection receives. What the gate lets through must be one request to
// httplib too, answered once.
#include <cstdint>
#include <string>
#include <string_view>

#include "require.h"
#include "service/http/gate/request_reader.h"
#include "service/http/reply_writer.h"

namespace {

using ssd1b::RequestReader;

void check_exchange(const ssd1b::RequestHead& head) {
  int calls = 0;
  std::string written;
  const auto handle = [&] {
    ++calls;
    ssd1b::HttpReply reply;
    reply.body = "ok";
    return reply;
  };
  ssd1b::answer(
      head, handle, [] { return ssd1b::ReplyFrame(); },
      [&](const char* data, std::size_t size) {
        written.append(data, size);
        return true;
      });
  require(calls == 1, "httplib reads what the gate lets through");
  require(written.rfind("HTTP/1.1 200 OK\r\n", 0) == 0, "one good reply");
  require(written.find("HTTP/1.1", 1) == std::string::npos, "no second reply");
  const bool has_body = written.substr(written.size() - 2) == "ok";
  require(has_body == (head.method != "HEAD"), "a body but for HEAD");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  RequestReader reader;
  reader.append(std::string_view(reinterpret_cast<const char*>(data), size));
  for (;;) {
    switch (reader.advance()) {
      case RequestReader::Progress::NeedsBytes:
      case RequestReader::Progress::Refused:
        return 0;
      case RequestReader::Progress::HeadRead:
        break;
      case RequestReader::Progress::Complete:
        check_exchange(reader.head());
        reader.begin_next();
        break;
    }
  }
}
