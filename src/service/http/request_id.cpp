#include "service/http/request_id.h"

#include <algorithm>

#include "service/http/random_id.h"

namespace ssd1b {
namespace {

bool is_id_char(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '.' ||
         c == '_' || c == '-';
}

bool is_lower_hex(char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); }

}  // namespace

std::string request_id_of(const Fields& fields) {
  const std::string* id = find_field(fields, "x-request-id");
  const bool is_good = id != nullptr && !id->empty() && id->size() <= 64 &&
                       std::all_of(id->begin(), id->end(), is_id_char);
  return is_good ? *id : random_id();
}

std::string_view traceparent_of(const Fields& fields) {
  const std::string* value = find_field(fields, "traceparent");
  if (value == nullptr || value->size() != 55) return "";
  for (std::size_t i = 0; i < value->size(); ++i) {
    const bool is_dash = i == 2 || i == 35 || i == 52;  // 00-<32 digits>-<16 digits>-<2 digits>
    if (is_dash ? (*value)[i] != '-' : !is_lower_hex((*value)[i])) return "";
  }
  return *value;
}

}  // namespace ssd1b
