#include "service/http/gate/head_gate.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <utility>

#include "service/http/gate/request_target.h"

namespace ssd1b {
namespace {

using MaybeFault = std::optional<GateFault>;

GateFault malformed(std::string message) {
  return {400, ErrorCode::MalformedRequest, std::move(message)};
}

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c; }

bool is_digit(char c) { return c >= '0' && c <= '9'; }

bool is_token_char(char c) {
  return is_digit(c) || (lower(c) >= 'a' && lower(c) <= 'z') ||
         std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
}

bool is_token(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), is_token_char);
}

bool is_blank(char c) { return c == ' ' || c == '\t'; }

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_blank(text.back())) text.remove_suffix(1);
  return text;
}

/// Control characters and 8-bit ones have no place in a head; tab only within values.
bool is_text(std::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return c == '\t' || (c >= 0x20 && c < 0x7f); });
}

/// Takes the line up to the next CRLF off the front.
std::string_view take_line(std::string_view& rest) {
  const std::size_t end = rest.find("\r\n");
  const std::string_view line = rest.substr(0, end);
  rest.remove_prefix(std::min(rest.size(), line.size() + 2));
  return line;
}

/// `*/1.1` of another protocol or version, well-formed.
bool is_protocol(std::string_view version) {
  const std::size_t n = version.size();
  return n >= 5 && version[n - 4] == '/' && is_digit(version[n - 3]) && version[n - 2] == '.' &&
         is_digit(version[n - 1]) && std::all_of(version.begin(), version.end() - 4, [](char c) {
           return c >= 'A' && c <= 'Z';
         });
}

MaybeFault read_request_line(std::string_view line, RequestHead& head) {
  const std::size_t first = line.find(' ');
  const std::size_t last = line.rfind(' ');
  if (first == std::string_view::npos || first == last) {
    return malformed("the request line must be a method, a target and a version");
  }
  const std::string_view method = line.substr(0, first);
  const std::string_view target = line.substr(first + 1, last - first - 1);
  const std::string_view version = line.substr(last + 1);
  if (!is_token(method)) return malformed("the method must be a token");
  if (!is_protocol(version)) return malformed("the request line must end with HTTP/1.1");
  if (target.size() > kMaxTargetBytes) {
    return GateFault{
        414, ErrorCode::TargetTooLong,
        "the target must be at most 8192 bytes long, got " + std::to_string(target.size())};
  }
  head.method = method;
  head.target = target;
  head.minor_version = version == "HTTP/1.0" ? 0 : 1;  // another protocol is read like HTTP/1.1
  return std::nullopt;
}

MaybeFault judge_protocol(std::string_view request_line) {
  const std::string_view version = request_line.substr(request_line.rfind(' ') + 1);
  if (version == "HTTP/1.1" || version == "HTTP/1.0") return std::nullopt;
  return GateFault{505, ErrorCode::MalformedRequest,
                   "the protocol must be HTTP/1.1 or HTTP/1.0, got " + std::string(version)};
}

/// `Content_Length` is Content-Length to a server that turns names into variables.
bool is_disguised_framing(std::string_view name) {
  if (name.find('_') == std::string_view::npos) return false;
  std::string plain(name);
  std::replace(plain.begin(), plain.end(), '_', '-');
  return equal_in_any_case(plain, "content-length") ||
         equal_in_any_case(plain, "transfer-encoding");
}

MaybeFault read_fields(std::string_view rest, RequestHead& head) {
  while (!rest.empty()) {
    const std::string_view line = take_line(rest);
    if (line.empty()) break;
    if (head.fields.size() == kMaxFields) {
      return GateFault{431, ErrorCode::HeadersTooLarge, "a head must have at most 64 fields"};
    }
    auto field = read_field_line(line);
    if (!field) return malformed("a header line must be a token, a colon and a plain value");
    if (holds_escaped_break(field->second) && !is_browsers_own(field->first)) {
      return malformed("the value of " + field->first.substr(0, 64) +
                       " must hold no %0a, %0d or %00: some servers would end the line there");
    }
    if (is_disguised_framing(field->first)) {
      return malformed("a header must not be named like one of framing with underscores");
    }
    // Not even white space behind it: other readers of "chunked " disagree on what it says.
    if (equal_in_any_case(field->first, "transfer-encoding") && line.substr(18) != "chunked" &&
        line.substr(18) != " chunked") {
      return malformed("Transfer-Encoding must be chunked");
    }
    head.fields.push_back(std::move(*field));
  }
  return std::nullopt;
}

std::size_t count_fields(const Fields& fields, std::string_view name) {
  return static_cast<std::size_t>(
      std::count_if(fields.begin(), fields.end(),
                    [&](const auto& field) { return equal_in_any_case(field.first, name); }));
}

MaybeFault judge_single_fields(const RequestHead& head) {
  for (const char* name : {"Host", "Content-Length", "Transfer-Encoding", "Content-Type", "Expect",
                           "Authorization", "X-Api-Key"}) {
    const std::size_t count = count_fields(head.fields, name);
    if (count > 1) {
      return malformed("a head must have at most one " + std::string(name) + " field, got " +
                       std::to_string(count));
    }
  }
  return std::nullopt;
}

/// Where the body ends (RFC 9112, 6).
MaybeFault judge_framing(RequestHead& head) {
  const std::string* length = find_field(head.fields, "content-length");
  head.is_chunked = find_field(head.fields, "transfer-encoding") != nullptr;
  if (head.is_chunked && length != nullptr) {
    return malformed("Content-Length and Transfer-Encoding must not come together");
  }
  if (head.is_chunked && head.minor_version == 0) {
    return malformed("HTTP/1.0 has no Transfer-Encoding");
  }
  if (length != nullptr) {
    const bool is_number = !length->empty() && length->size() <= 18 &&
                           std::all_of(length->begin(), length->end(), is_digit);
    if (!is_number) return malformed("Content-Length must be a number of at most 18 digits");
    head.content_length = std::stoull(*length);
  }
  if (head.has_body() && (head.method == "GET" || head.method == "HEAD")) {
    return malformed("a " + head.method + " request must not have a body");
  }
  return std::nullopt;
}

/// `close` or `keep-alive` among the tokens of the Connection fields.
bool has_connection_token(const Fields& fields, std::string_view token) {
  for (const auto& [name, value] : fields) {
    if (!equal_in_any_case(name, "connection")) continue;
    std::string_view rest = value;
    while (!rest.empty()) {
      const std::size_t comma = rest.find(',');
      if (equal_in_any_case(trimmed(rest.substr(0, comma)), token)) return true;
      rest.remove_prefix(comma == std::string_view::npos ? rest.size() : comma + 1);
    }
  }
  return false;
}

/// Well-formed, but nothing that this server does.
MaybeFault judge_abilities(RequestHead& head) {
  constexpr std::array<std::string_view, 8> kMethods = {"GET",   "HEAD",    "POST",  "PUT",
                                                        "PATCH", "OPTIONS", "TRACE", "DELETE"};
  if (std::find(kMethods.begin(), kMethods.end(), head.method) == kMethods.end()) {
    return GateFault{501, ErrorCode::MalformedRequest, "the method is none that this server knows"};
  }
  if (const std::string* expect = find_field(head.fields, "expect")) {
    if (!equal_in_any_case(*expect, "100-continue")) {
      return GateFault{417, ErrorCode::MalformedRequest, "Expect must be 100-continue"};
    }
    head.expects_continue = head.minor_version == 1;
  }
  if (find_field(head.fields, "content-encoding") != nullptr) {
    return GateFault{415, ErrorCode::UnsupportedMediaType,
                     "the body must come without a Content-Encoding"};
  }
  if (head.content_length > kMaxBodyBytes) {
    return GateFault{
        413, ErrorCode::BodyTooLarge,
        "the body must be at most 262144 bytes long, got " + std::to_string(head.content_length)};
  }
  return std::nullopt;
}

/// Everything that must hold of a well-formed head.
MaybeFault read_head(std::string_view bytes, RequestHead& head) {
  std::string_view rest = bytes;
  const std::string_view request_line = take_line(rest);
  if (auto fault = read_request_line(request_line, head)) return fault;
  if (auto fault = read_fields(rest, head)) return fault;
  if (auto fault = judge_single_fields(head)) return fault;
  if (auto fault = judge_framing(head)) return fault;
  if (auto fault = judge_protocol(request_line)) return fault;
  const std::string* host = find_field(head.fields, "host");
  if (host == nullptr && head.minor_version == 1) {
    return malformed("a head must have a Host field");
  }
  if (host != nullptr && !is_host(*host)) {
    return malformed("Host must be a name or an address, with a port or without");
  }
  const auto target = read_target(head.method, head.target, host != nullptr ? *host : "");
  // CONNECT names no resource but another host: an ability that this server does not have.
  if (!target && head.method != "CONNECT") {
    return malformed("the target must be a path of plain or percent-escaped characters");
  }
  if (target) {
    head.target = target->target;
    head.path = target->path;
  }
  head.keeps_alive = !has_connection_token(head.fields, "close") &&
                     (head.minor_version == 1 || has_connection_token(head.fields, "keep-alive"));
  return std::nullopt;
}

MaybeFault too_long(std::string_view bytes) {
  if (bytes.substr(0, kMaxHeadBytes).find("\r\n") == std::string_view::npos) {
    return GateFault{414, ErrorCode::TargetTooLong, "the target must be at most 8192 bytes long"};
  }
  return GateFault{431, ErrorCode::HeadersTooLarge, "a head must be at most 16384 bytes long"};
}

}  // namespace

bool equal_in_any_case(std::string_view a, std::string_view b) {
  return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin(),
                                            [](char x, char y) { return lower(x) == lower(y); });
}

const std::string* find_field(const Fields& fields, std::string_view name) {
  for (const auto& [each, value] : fields) {
    if (equal_in_any_case(each, name)) return &value;
  }
  return nullptr;
}

std::optional<std::pair<std::string, std::string>> read_field_line(std::string_view line) {
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos) return std::nullopt;
  const std::string_view name = line.substr(0, colon);
  const std::string_view value = trimmed(line.substr(colon + 1));
  if (!is_token(name) || !is_text(value)) return std::nullopt;
  return std::make_pair(std::string(name), std::string(value));
}

bool holds_escaped_break(std::string_view value) {
  for (std::size_t at = value.find('%'); at != std::string_view::npos;
       at = value.find('%', at + 1)) {
    const std::string_view escape = value.substr(at, 3);
    if (escape == "%00" || equal_in_any_case(escape, "%0a") || equal_in_any_case(escape, "%0d")) {
      return true;
    }
  }
  return false;
}

bool is_browsers_own(std::string_view name) {
  return equal_in_any_case(name, "cookie") || equal_in_any_case(name, "referer");
}

HeadEnd find_head_end(std::string_view bytes, std::size_t seen) {
  const std::string_view within = bytes.substr(0, kMaxHeadBytes);
  for (std::size_t i = seen == 0 ? 0 : seen - 1; i < within.size(); ++i) {
    const char c = within[i];
    if (c == '\r') {
      if (i + 1 < within.size() && within[i + 1] != '\n') {
        return {0, malformed("a head must not hold a CR without LF")};
      }
    } else if (c == '\n') {
      if (i == 0 || within[i - 1] != '\r') {
        return {0, malformed("a head must not hold an LF without CR")};
      }
      if (i == 1) return {0, malformed("a head must begin with a request line")};
      if (i >= 3 && within[i - 2] == '\n') return {i + 1, std::nullopt};
    } else if (!is_text(within.substr(i, 1))) {
      return {0, malformed("a head must not hold control or 8-bit characters")};
    }
  }
  if (bytes.size() >= kMaxHeadBytes) return {0, too_long(bytes)};
  return {};
}

JudgedHead examine_head(std::string_view bytes) {
  JudgedHead judged;
  RequestHead head;
  judged.fault = read_head(bytes, head);
  if (judged.fault) return judged;
  judged.fault = judge_abilities(head);
  judged.head = std::move(head);
  return judged;
}

}  // namespace ssd1b
