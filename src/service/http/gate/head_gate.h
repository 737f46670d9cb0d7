#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "ssd1b/error.h"

namespace ssd1b {

constexpr std::size_t kMaxHeadBytes = 16 * 1024;  // the empty line at the end included
constexpr std::size_t kMaxFields = 64;
constexpr std::size_t kMaxTargetBytes = 8 * 1024;
constexpr std::size_t kMaxBodyBytes = 256 * 1024;

using Fields = std::vector<std::pair<std::string, std::string>>;

/// A request's head that passed the gate: RFC 9112 has one reading of it and of where its body
/// ends.
struct RequestHead {
  std::string method;     // one that HTTP defines
  std::string target;     // origin-form, or * of OPTIONS; no escape of a control character in it
  std::string path;       // percent-decoded, without the query
  int minor_version = 1;  // HTTP/1.x
  Fields fields;          // as they came, values without white space around them
  bool is_chunked = false;
  std::size_t content_length = 0;  // bytes; 0 where chunked
  bool expects_continue = false;
  bool keeps_alive = true;  // what the client asks for

  bool has_body() const { return is_chunked || content_length > 0; }
};

/// Why a request is refused. The connection is closed behind the reply.
struct GateFault {
  int status = 400;
  ErrorCode code = ErrorCode::MalformedRequest;
  std::string message;
};

/// Where a head ends, as far as the bytes go.
struct HeadEnd {
  std::size_t size = 0;  // 0: more bytes are needed
  std::optional<GateFault> fault;
};

/// Looks for the empty line that ends the head at the front of `bytes`; refuses as soon as a byte
/// that no head may hold is there, or the head is too long. `seen` of the bytes were looked at by
/// earlier calls, so that a head that comes byte by byte costs no more than one that comes at once.
HeadEnd find_head_end(std::string_view bytes, std::size_t seen);

/// What came of a whole head.
struct JudgedHead {
  RequestHead head;  // empty where it is not well-formed
  std::optional<GateFault> fault;
};

/// Judges a whole head, its empty line included. Pure.
JudgedHead examine_head(std::string_view head);

/// Splits `name: value`; nothing where it is no field line (RFC 9112, 5): white space before the
/// colon or the name, a name that is no token, a control or 8-bit character.
std::optional<std::pair<std::string, std::string>> read_field_line(std::string_view line);

/// Whether a value holds a NUL, CR or LF as %00, %0d or %0a: whoever decodes it could take what
/// follows for a line of its own.
bool holds_escaped_break(std::string_view value);

/// Cookie and Referer: browsers put into them what other sites and addresses hold, escaped breaks
/// too. Nothing here reads them, and no library gets to see them.
bool is_browsers_own(std::string_view name);

/// The value of the first field of that name, in any case; nothing where there is none.
const std::string* find_field(const Fields& fields, std::string_view name);

/// ASCII letters compared in any case.
bool equal_in_any_case(std::string_view a, std::string_view b);

}  // namespace ssd1b
