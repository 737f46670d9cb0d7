// Any bytes as what a connection receives. What the gate lets through must hold up before a second
// reader and come out the same in any pieces.
#include <cstdint>
#include <string>
#include <vector>

#include "require.h"
#include "service/http/gate/request_reader.h"

namespace {

using ssd1b::RequestHead;
using ssd1b::RequestReader;

std::string lower(std::string text) {
  for (char& c : text) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  return text;
}

/// The framing fields of a head by plain search, another way than the gate's.
void check_head(const RequestHead& head) {
  int hosts = 0;
  int lengths = 0;
  int codings = 0;
  for (const auto& [name, value] : head.fields) {
    hosts += lower(name) == "host";
    lengths += lower(name) == "content-length";
    codings += lower(name) == "transfer-encoding";
    require(name.find_first_of(" \t\r\n:") == std::string::npos, "a name is a token");
    for (const char c : value) require(c == '\t' || (c >= ' ' && c < 0x7f), "a value is plain");
    require(lower(value).find("%0d") == std::string::npos, "no escaped CR");
    require(lower(value).find("%0a") == std::string::npos, "no escaped LF");
  }
  require(hosts == 1 || (hosts == 0 && head.minor_version == 0), "one Host");
  require(lengths + codings <= 1, "one framing");
  require(head.is_chunked == (codings == 1), "chunked where it says so");
  require(head.fields.size() <= ssd1b::kMaxFields, "not too many fields");
  require(head.target.size() <= ssd1b::kMaxTargetBytes, "not too long a target");
  require(head.content_length <= ssd1b::kMaxBodyBytes, "not too long a body");
  require(!head.path.empty() && (head.path[0] == '/' || head.path == "*"), "a path");
  require(!head.has_body() || (head.method != "GET" && head.method != "HEAD"), "no body on GET");
}

/// Every request and the fault at the end, as one text.
std::string read_all(const std::vector<std::string>& pieces, bool checks) {
  RequestReader reader;
  std::string read;
  for (const std::string& piece : pieces) {
    reader.append(piece);
    for (;;) {
      const auto progress = reader.advance();
      if (progress == RequestReader::Progress::NeedsBytes) break;
      if (progress == RequestReader::Progress::Refused) {
        return read + std::to_string(reader.fault().status);
      }
      if (progress != RequestReader::Progress::Complete) continue;
      const RequestHead& head = reader.head();
      require(reader.body().size() <= ssd1b::kMaxBodyBytes, "a body within its limit");
      require(head.is_chunked || reader.body().size() == head.content_length, "a whole body");
      read += head.method + " " + head.target + " " + reader.body() + "\n";
      if (checks) check_head(head);
      reader.begin_next();
    }
  }
  return read;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string bytes(reinterpret_cast<const char*>(data), size);
  const std::string whole = read_all({bytes}, /*checks=*/true);
  const std::size_t cut = size == 0 ? 0 : (data[0] + 256u * data[size - 1]) % (size + 1);
  require(whole == read_all({bytes.substr(0, cut), bytes.substr(cut)}, false),
          "cuts change nothing");
  if (size <= 512) {
    std::vector<std::string> single;
    for (const char c : bytes) single.emplace_back(1, c);
    require(whole == read_all(single, false), "single bytes change nothing");
  }
  return 0;
}
