#include "wire/flat_object_reader.h"

#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>
#include <utility>

#include "ssd1b/error.h"

namespace ssd1b {
namespace {

[[noreturn]] void refuse(const std::string& what) {
  throw Error(ErrorCode::MalformedRequest, "the peer's message is garbled: " + what);
}

[[noreturn]] void refuse_field(const char* name, const std::string& must) {
  refuse(std::string(name) + " must be " + must);
}

/// Of a text that begins with a quotation mark, the part up to the next that is not escaped.
std::string_view literal_at_front(std::string_view text) {
  std::size_t end = 1;
  while (end < text.size() && text[end] != '"') end += text[end] == '\\' ? 2 : 1;
  return text.substr(0, end + 1);
}

}  // namespace

bool FlatObjectReader::take_if(std::string_view text) {
  if (rest_.substr(0, text.size()) != text) return false;
  rest_.remove_prefix(text.size());
  return true;
}

void FlatObjectReader::begin_field(const char* name) {
  const bool is_next =
      take_if(std::exchange(is_first_, false) ? "{\"" : ",\"") && take_if(name) && take_if("\":");
  if (!is_next) refuse(std::string("the field ") + name + " must come next");
}

/// A number, true, false or null.
std::string_view FlatObjectReader::take_word() {
  const std::string_view word = rest_.substr(0, rest_.find_first_of(",]}"));
  rest_.remove_prefix(word.size());
  return word;
}

std::string FlatObjectReader::take_text(const char* name) {
  if (rest_.empty() || rest_.front() != '"') refuse_field(name, "a string");
  const std::string_view literal = literal_at_front(rest_);
  rest_.remove_prefix(literal.size());
  // The library takes a zero byte for the end of the text, and accepts what is before it.
  nlohmann::json value;
  if (literal.find('\0') == std::string_view::npos) {
    value = nlohmann::json::parse(literal, nullptr, /*allow_exceptions=*/false);
  }
  if (!value.is_string()) refuse_field(name, "a string of UTF-8");
  return std::move(value.get_ref<std::string&>());
}

template <typename Number>
Number FlatObjectReader::take_number(const char* name, const char* must) {
  const std::string_view word = take_word();
  Number number{};
  const auto [end, fault] = std::from_chars(word.data(), word.data() + word.size(), number);
  if (fault != std::errc() || end != word.data() + word.size()) refuse_field(name, must);
  return number;
}

int FlatObjectReader::take_small_integer(const char* name, int low, int high) {
  const int number = take_number<int>(name, "an integer of 32 bits");
  if (number < low || number > high) {
    refuse_field(name, "between " + std::to_string(low) + " and " + std::to_string(high));
  }
  return number;
}

template <typename Take>
auto FlatObjectReader::take_list(const char* name, Take take) {
  begin_field(name);
  std::vector<decltype(take())> list;
  if (!take_if("[")) refuse_field(name, "a list");
  if (take_if("]")) return list;
  do list.push_back(take());
  while (take_if(","));
  if (!take_if("]")) refuse_field(name, "a list with an end");
  return list;
}

std::string FlatObjectReader::text(const char* name) {
  begin_field(name);
  return take_text(name);
}

std::optional<std::string> FlatObjectReader::optional_text(const char* name) {
  begin_field(name);
  if (take_if("null")) return std::nullopt;
  return take_text(name);
}

int FlatObjectReader::small_integer(const char* name, int low, int high) {
  begin_field(name);
  return take_small_integer(name, low, high);
}

std::uint64_t FlatObjectReader::unsigned_integer(const char* name) {
  begin_field(name);
  return take_number<std::uint64_t>(name, "an integer of 0 or more");
}

double FlatObjectReader::number(const char* name) {
  begin_field(name);
  const double number = take_number<double>(name, "a number");
  if (!std::isfinite(number)) refuse_field(name, "finite");
  return number;
}

double FlatObjectReader::duration_ms(const char* name) {
  constexpr double kWeekMs = 7 * 24 * 3600 * 1000.0;
  const double value = number(name);
  if (!(value >= 0.0 && value <= kWeekMs)) refuse_field(name, "between 0 and 604800000");
  return value;
}

bool FlatObjectReader::boolean(const char* name) {
  begin_field(name);
  const std::string_view word = take_word();
  if (word != "true" && word != "false") refuse_field(name, "true or false");
  return word == "true";
}

std::vector<std::string> FlatObjectReader::texts(const char* name) {
  return take_list(name, [&] { return take_text(name); });
}

std::vector<int> FlatObjectReader::small_integers(const char* name, int low, int high) {
  return take_list(name, [&] { return take_small_integer(name, low, high); });
}

void FlatObjectReader::expect_end() {
  if (rest_ != (is_first_ ? "{}" : "}")) refuse("it must end behind its last field");
}

}  // namespace ssd1b
