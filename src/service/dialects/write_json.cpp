#include "service/dialects/write_json.h"

#include <cstdint>
#include <string>
#include <utility>

namespace ssd1b {
namespace {

/// Whether a text stands in JSON as it is.
bool is_plain(const std::string& text) {
  bool is_special = false;  // no way out of the loop: vectors look at many bytes at once
  for (const char c : text) is_special |= c < ' ' || c > '~' || c == '"' || c == '\\';
  return !is_special;
}

/// The library looks at texts byte by byte, which takes longer than all else for megabytes of
/// base64.
void append_text(std::string& out, const Json& value) {
  char separator = '[';
  if (value.is_object() && !value.empty()) {
    separator = '{';
    for (const auto& [name, member] : value.get_ref<const Json::object_t&>()) {
      out += std::exchange(separator, ',');
      append_text(out, name);
      out += ':';
      append_text(out, member);
    }
    out += '}';
  } else if (value.is_array() && !value.empty()) {
    for (const Json& element : value) {
      out += std::exchange(separator, ',');
      append_text(out, element);
    }
    out += ']';
  } else if (value.is_string() && is_plain(value.get_ref<const std::string&>())) {
    out.append(1, '"').append(value.get_ref<const std::string&>()).append(1, '"');
  } else if (value.is_number_unsigned()) {
    out += std::to_string(value.get<std::uint64_t>());
  } else {
    out += value.dump(/*indent=*/-1, ' ', /*ensure_ascii=*/false, Json::error_handler_t::replace);
  }
}

}  // namespace

std::string json_text(const Json& value) {
  std::string text;
  append_text(text, value);
  return text;
}

}  // namespace ssd1b
