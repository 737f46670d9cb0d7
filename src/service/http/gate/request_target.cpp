#include "service/http/gate/request_target.h"

#include <algorithm>

#include "service/http/gate/head_gate.h"
#include "service/http/gate/hex_digit.h"

namespace ssd1b {
namespace {

constexpr int kHighestPort = 65535;

bool is_alphanumeric(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

bool is_uri_char(char c) {
  return is_alphanumeric(c) ||
         std::string_view("-._~:/?[]@!$&'()*+,;=%").find(c) != std::string_view::npos;
}

/// Nothing where an escape is broken or hides a control character.
std::optional<std::string> percent_decoded(std::string_view text) {
  std::string decoded;
  decoded.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      decoded += text[i];
      continue;
    }
    if (i + 2 >= text.size()) return std::nullopt;
    const int high = hex_value(text[i + 1]);
    const int low = hex_value(text[i + 2]);
    if (high < 0 || low < 0) return std::nullopt;
    const int value = high * 16 + low;
    if (value < 0x20 || value == 0x7f) return std::nullopt;
    decoded += static_cast<char>(value);
    i += 2;
  }
  return decoded;
}

/// Takes `http://host` off an absolute-form target; nothing where it names another host.
std::optional<std::string> without_authority(std::string_view target, std::string_view host) {
  for (const std::string_view scheme : {"http://", "https://"}) {
    if (!equal_in_any_case(target.substr(0, scheme.size()), scheme)) continue;
    const std::string_view rest = target.substr(scheme.size());
    const std::size_t end = std::min(rest.find_first_of("/?"), rest.size());
    if (host.empty() || !equal_in_any_case(rest.substr(0, end), host)) return std::nullopt;
    const std::string_view path = rest.substr(end);
    return (path.empty() || path.front() == '?' ? "/" : "") + std::string(path);
  }
  return std::string(target);
}

}  // namespace

std::optional<RequestTarget> read_target(std::string_view method, std::string_view target,
                                         std::string_view host) {
  if (target == "*") {
    if (method != "OPTIONS") return std::nullopt;
    return RequestTarget{"*", "*"};
  }
  if (!std::all_of(target.begin(), target.end(), is_uri_char)) return std::nullopt;
  const auto origin = without_authority(target, host);
  if (!origin || origin->empty() || origin->front() != '/') return std::nullopt;
  const std::size_t question = std::min(origin->find('?'), origin->size());
  auto path = percent_decoded(std::string_view(*origin).substr(0, question));
  const auto query = percent_decoded(std::string_view(*origin).substr(question));
  if (!path || !query) return std::nullopt;
  return RequestTarget{*origin, std::move(*path)};
}

bool is_host(std::string_view host) {
  std::size_t end = 0;
  if (!host.empty() && host.front() == '[') {
    end = host.find(']');
    if (end == std::string_view::npos) return false;
    const std::string_view address = host.substr(1, end - 1);
    const auto is_address_char = [](char c) { return hex_value(c) >= 0 || c == ':' || c == '.'; };
    if (address.empty() || !std::all_of(address.begin(), address.end(), is_address_char)) {
      return false;
    }
    ++end;
  } else {
    end = std::min(host.find(':'), host.size());
    const std::string_view name = host.substr(0, end);
    const auto is_name_char = [](char c) {
      return is_alphanumeric(c) || c == '-' || c == '.' || c == '_';
    };
    if (name.empty() || !std::all_of(name.begin(), name.end(), is_name_char)) return false;
  }
  if (end == host.size()) return true;
  const std::string_view port = host.substr(end + 1);
  return host[end] == ':' && !port.empty() && port.size() <= 5 &&
         std::all_of(port.begin(), port.end(), [](char c) { return c >= '0' && c <= '9'; }) &&
         std::stoi(std::string(port)) <= kHighestPort;
}

}  // namespace ssd1b
