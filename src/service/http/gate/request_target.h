#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace ssd1b {

struct RequestTarget {
  std::string target;  // origin-form, or *
  std::string path;    // percent-decoded, without the query
};

/// Reads the target of a request line (RFC 9112, 3.2): origin-form, absolute-form of the same host,
/// and `*` of OPTIONS. Nothing where it is none of them, holds a character that no URI has, a
/// broken escape or an escaped control character.
std::optional<RequestTarget> read_target(std::string_view method, std::string_view target,
                                         std::string_view host);

/// Whether it can be the value of a Host field: a name, an IPv4 or a bracketed IPv6 address, and a
/// port or none.
bool is_host(std::string_view host);

}  // namespace ssd1b
