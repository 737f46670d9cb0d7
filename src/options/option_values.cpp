#include "options/option_values.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <set>
#include <sstream>
#include <string_view>
#include <utility>

#include "utf8/utf8.h"

namespace ssd1b {
namespace {

template <typename T>
std::optional<T> whole(const std::string& text) {
  T value{};
  const char* end = text.data() + text.size();
  const auto [stop, fault] = std::from_chars(text.data(), end, value);
  if (text.empty() || fault != std::errc() || stop != end) return std::nullopt;
  return value;
}

bool is_digit(char byte) { return byte >= '0' && byte <= '9'; }

struct Unit {
  std::string_view name;
  double bytes;
};
constexpr std::array<Unit, 10> kUnits{{{"", 1.0},
                                       {"B", 1.0},
                                       {"KiB", 1024.0},
                                       {"MiB", 1048576.0},
                                       {"GiB", 1073741824.0},
                                       {"TiB", 1099511627776.0},
                                       {"kB", 1e3},
                                       {"MB", 1e6},
                                       {"GB", 1e9},
                                       {"TB", 1e12}}};
constexpr double kMinSizeBytes = 1048576.0;
constexpr double kMaxSizeBytes = 1e15;

bool is_cuda_index(const std::string& device) {
  const std::string prefix = "cuda:";
  if (device.compare(0, prefix.size(), prefix) != 0) return false;
  const std::string index = device.substr(prefix.size());
  return !index.empty() && index.size() <= 3 && std::all_of(index.begin(), index.end(), is_digit) &&
         (index == "0" || index[0] != '0');
}

/// A name, an IPv4 or a bracketed IPv6 address, in lower case.
bool is_origin_host(const std::string& host) {
  if (host.empty() || host.front() != '[') {
    return !host.empty() &&
           host.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789.-_") == std::string::npos;
  }
  return host.size() > 2 && host.back() == ']' &&
         host.find_first_not_of("abcdef0123456789.:", 1) == host.size() - 1;
}

/// Browsers leave out the scheme's own port, and zeros in front.
bool is_other_port(const std::string& text, int own_port) {
  const std::optional<std::int64_t> port = whole<std::int64_t>(text);
  return port && is_digit(text[0]) && text[0] != '0' && *port <= 65535 && *port != own_port;
}

}  // namespace

std::optional<std::int64_t> integer_of(const std::string& text) {
  return whole<std::int64_t>(text);
}

std::optional<std::uint64_t> unsigned_of(const std::string& text) {
  return whole<std::uint64_t>(text);
}

std::optional<double> number_of(const std::string& text) {
  const bool is_decimal = text.find_first_not_of("0123456789+-.eE") == std::string::npos;
  const bool has_digit = text.find_first_of("0123456789") != std::string::npos;
  double value = 0.0;
  const char* end = text.data() + text.size();
  const auto [stop, fault] = std::from_chars(text.data(), end, value);
  if (!is_decimal || !has_digit || fault != std::errc() || stop != end) return std::nullopt;
  return std::isfinite(value) ? std::optional<double>(value) : std::nullopt;
}

std::optional<bool> boolean_of(const std::string& text) {
  if (text == "true" || text == "1") return true;
  if (text == "false" || text == "0") return false;
  return std::nullopt;
}

std::optional<std::int64_t> bytes_of(const std::string& text) {
  const std::size_t end = text.find_first_not_of("0123456789.");
  const std::optional<double> value = number_of(text.substr(0, end));
  const std::string unit = end == std::string::npos ? "" : text.substr(end);
  for (const Unit& each : kUnits) {
    if (!value || unit != each.name) continue;
    const double bytes = *value * each.bytes;
    if (bytes < kMinSizeBytes || bytes > kMaxSizeBytes) return std::nullopt;
    return static_cast<std::int64_t>(bytes);
  }
  return std::nullopt;
}

bool is_plain_text(const std::string& text) {
  for (std::string_view rest = text; !rest.empty();) {
    const std::size_t length = utf8_length(rest);
    if (length == 0) return false;
    rest.remove_prefix(length);
  }
  return find_control_character(text) == std::string::npos;
}

bool is_device_list(const std::string& text) {
  if (text == "auto" || text == "cpu" || text == "cuda") return true;
  std::set<std::string> seen;
  std::istringstream list(text + ",");
  for (std::string device; std::getline(list, device, ',');) {
    if (device != "cpu" && !is_cuda_index(device)) return false;
    if (!seen.insert(device).second) return false;
  }
  return !text.empty();
}

bool is_origin(const std::string& text) {
  for (const auto& [scheme, own_port] : {std::pair{"http://", 80}, std::pair{"https://", 443}}) {
    const std::size_t length = std::strlen(scheme);
    if (text.compare(0, length, scheme) != 0) continue;
    const std::string rest = text.substr(length);
    const std::size_t after_address = rest.rfind(']');
    const std::size_t colon =
        rest.find(':', after_address == std::string::npos ? 0 : after_address);
    if (!is_origin_host(rest.substr(0, colon))) return false;
    return colon == std::string::npos || is_other_port(rest.substr(colon + 1), own_port);
  }
  return false;
}

bool is_lora(const std::string& text) {
  const std::size_t colon = text.rfind(':');
  const std::string scale = colon == std::string::npos ? "1" : text.substr(colon + 1);
  const bool has_file = colon == std::string::npos ? !text.empty() : colon > 0;
  return has_file && number_of(scale).has_value() && is_plain_text(text);
}

std::string in_quotes(const std::string& text) {
  constexpr std::size_t kMaxShown = 80;
  std::string result = "\"";
  for (std::size_t at = 0; at < text.size() && at < kMaxShown;) {
    const std::size_t length = utf8_length(std::string_view(text).substr(at));
    const std::string character = text.substr(at, length == 0 ? 1 : length);
    if (length != 0 && is_plain_text(character) && character != "\n" && character != "\t") {
      result += character;
    } else {
      for (const char byte : character) {
        char escape[5];
        std::snprintf(escape, sizeof escape, "\\x%02x", static_cast<unsigned char>(byte));
        result += escape;
      }
    }
    at += character.size();
  }
  return result + (text.size() > kMaxShown ? "...\"" : "\"");
}

}  // namespace ssd1b
