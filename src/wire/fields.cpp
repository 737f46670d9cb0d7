#include "wire/fields.h"

#include <set>
#include <utility>

#include "ssd1b/error.h"

namespace ssd1b {
namespace {

using nlohmann::json;

[[noreturn]] void refuse(const std::string& what) {
  throw Error(ErrorCode::MalformedRequest, "the peer's message is garbled: " + what);
}

[[noreturn]] void refuse_field(const char* name, const std::string& must) {
  refuse(std::string(name) + " must be " + must);
}

int as_small_integer(const json& value, const char* name, int low, int high) {
  if (!value.is_number_integer()) refuse_field(name, "an integer");
  // An unsigned value above the range would turn negative in a plain get<int64>.
  if (value.is_number_unsigned() && value.get<std::uint64_t>() > std::uint64_t(high)) {
    refuse_field(name, "at most " + std::to_string(high));
  }
  const auto number = value.get<std::int64_t>();
  if (number < low || number > high) {
    refuse_field(name, "between " + std::to_string(low) + " and " + std::to_string(high));
  }
  return static_cast<int>(number);
}

}  // namespace

FlatObjectReader::FlatObjectReader(const std::string& text) {
  std::set<std::string> names;
  const auto guard = [&](int depth, json::parse_event_t event, json& parsed) {
    // Depth 1 holds the fields, 2 the values of a list; a list of lists or an object is not flat.
    if ((event == json::parse_event_t::object_start && depth > 0) ||
        (event == json::parse_event_t::array_start && depth != 1)) {
      refuse("it is not one flat object");
    }
    if (event == json::parse_event_t::key && !names.insert(parsed.get<std::string>()).second) {
      refuse("the field " + parsed.get<std::string>() + " is there twice");
    }
    return true;
  };
  try {
    object_ = json::parse(text, guard);
  } catch (const json::exception&) {
    refuse("it is not JSON");
  }
  if (!object_.is_object()) refuse("it is not one flat object");
}

json FlatObjectReader::take(const char* name) {
  const auto found = object_.find(name);
  if (found == object_.end()) refuse(std::string(name) + " is missing");
  json value = std::move(*found);
  object_.erase(found);
  return value;
}

std::string FlatObjectReader::text(const char* name) {
  json value = take(name);
  if (!value.is_string()) refuse_field(name, "a string");
  return std::move(value.get_ref<std::string&>());
}

std::optional<std::string> FlatObjectReader::optional_text(const char* name) {
  json value = take(name);
  if (value.is_null()) return std::nullopt;
  if (!value.is_string()) refuse_field(name, "a string or null");
  return std::move(value.get_ref<std::string&>());
}

int FlatObjectReader::small_integer(const char* name, int low, int high) {
  return as_small_integer(take(name), name, low, high);
}

std::uint64_t FlatObjectReader::unsigned_integer(const char* name) {
  const json value = take(name);
  if (!value.is_number_unsigned()) refuse_field(name, "an integer of 0 or more");
  return value.get<std::uint64_t>();
}

double FlatObjectReader::number(const char* name) {
  const json value = take(name);
  if (!value.is_number()) refuse_field(name, "a number");
  return value.get<double>();
}

bool FlatObjectReader::boolean(const char* name) {
  const json value = take(name);
  if (!value.is_boolean()) refuse_field(name, "true or false");
  return value.get<bool>();
}

std::vector<std::string> FlatObjectReader::texts(const char* name) {
  const json list = take(name);
  if (!list.is_array()) refuse_field(name, "a list of strings");
  std::vector<std::string> texts;
  for (const json& each : list) {
    if (!each.is_string()) refuse_field(name, "a list of strings");
    texts.push_back(each.get<std::string>());
  }
  return texts;
}

std::vector<int> FlatObjectReader::small_integers(const char* name, int low, int high) {
  const json list = take(name);
  if (!list.is_array()) refuse_field(name, "a list of integers");
  std::vector<int> integers;
  for (const json& each : list) {
    integers.push_back(as_small_integer(each, name, low, high));
  }
  return integers;
}

void FlatObjectReader::expect_end() const {
  if (!object_.empty()) refuse("no field has the name " + object_.begin().key());
}

std::string to_text(const json& object) {
  try {
    return object.dump();
  } catch (const json::exception&) {
    throw Error(ErrorCode::InternalError, "a text for the other process is not UTF-8");
  }
}

std::string to_text_replacing(const json& object) {
  return object.dump(-1, ' ', /*ensure_ascii=*/false, json::error_handler_t::replace);
}

}  // namespace ssd1b
