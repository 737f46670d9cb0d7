#include "wire/flat_object_writer.h"

#include <array>
#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>
#include <utility>

#include "ssd1b/error.h"

namespace ssd1b {

using nlohmann::json;

void FlatObjectWriter::begin_field(const char* name) {
  if (json_.size() > 1) json_ += ',';
  json_.append(1, '"').append(name).append("\":");
}

void FlatObjectWriter::add_text(const std::string& value) {
  const auto on_bad_text = bad_text_ == BadText::Replace ? json::error_handler_t::replace
                                                         : json::error_handler_t::strict;
  try {
    json_ += json(value).dump(-1, ' ', /*ensure_ascii=*/false, on_bad_text);
  } catch (const json::exception&) {
    throw Error(ErrorCode::InternalError, "a text for the other process is not UTF-8");
  }
}

template <typename Number>
void FlatObjectWriter::add_number(Number value) {
  std::array<char, 32> digits{};
  const auto [end, fault] = std::to_chars(digits.data(), digits.data() + digits.size(), value);
  json_.append(digits.data(), end);
}

FlatObjectWriter& FlatObjectWriter::text(const char* name, const std::string& value) {
  begin_field(name);
  add_text(value);
  return *this;
}

FlatObjectWriter& FlatObjectWriter::optional_text(const char* name,
                                                  const std::optional<std::string>& value) {
  if (value) return text(name, *value);
  begin_field(name);
  json_ += "null";
  return *this;
}

FlatObjectWriter& FlatObjectWriter::integer(const char* name, std::int64_t value) {
  begin_field(name);
  add_number(value);
  return *this;
}

FlatObjectWriter& FlatObjectWriter::unsigned_integer(const char* name, std::uint64_t value) {
  begin_field(name);
  add_number(value);
  return *this;
}

FlatObjectWriter& FlatObjectWriter::number(const char* name, double value) {
  if (!std::isfinite(value)) {
    throw Error(ErrorCode::InternalError,
                std::string(name) + " for the other process is not finite");
  }
  begin_field(name);
  add_number(value);
  return *this;
}

FlatObjectWriter& FlatObjectWriter::boolean(const char* name, bool value) {
  begin_field(name);
  json_ += value ? "true" : "false";
  return *this;
}

FlatObjectWriter& FlatObjectWriter::texts(const char* name,
                                          const std::vector<std::string>& values) {
  begin_field(name);
  json_ += '[';
  for (const std::string& value : values) {
    if (&value != &values.front()) json_ += ',';
    add_text(value);
  }
  json_ += ']';
  return *this;
}

FlatObjectWriter& FlatObjectWriter::integers(const char* name, const std::vector<int>& values) {
  begin_field(name);
  json_ += '[';
  for (const int& value : values) {
    if (&value != &values.front()) json_ += ',';
    add_number(value);
  }
  json_ += ']';
  return *this;
}

std::string FlatObjectWriter::take() {
  json_ += '}';
  return std::move(json_);
}

}  // namespace ssd1b
