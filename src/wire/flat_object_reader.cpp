#include "wire/flat_object_reader.h"

#include <algorithm>
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

/// Collects the fields of an object while it is parsed, without a tree.
class FieldCollector : public nlohmann::json_sax<json> {
 public:
  using Fields = std::vector<std::pair<std::string, json>>;
  explicit FieldCollector(Fields& fields) : fields_(fields) {}

  bool null() override { return add(nullptr); }
  bool boolean(bool value) override { return add(value); }
  bool number_integer(std::int64_t value) override { return add(value); }
  bool number_unsigned(std::uint64_t value) override { return add(value); }
  bool number_float(double value, const std::string& /*text*/) override { return add(value); }
  bool string(std::string& value) override { return add(std::move(value)); }
  bool binary(json::binary_t& /*value*/) override { return false; }

  bool start_object(std::size_t /*size*/) override {
    if (std::exchange(is_inside_, true)) refuse_shape();
    return true;
  }
  bool key(std::string& name) override {
    for (const auto& field : fields_) {
      if (field.first == name) refuse("the field " + name + " is there twice");
    }
    fields_.emplace_back(std::move(name), nullptr);
    return true;
  }
  bool end_object() override { return true; }
  bool start_array(std::size_t /*size*/) override {
    if (!is_inside_ || is_in_list_) refuse_shape();
    is_in_list_ = true;
    fields_.back().second = json::array();
    return true;
  }
  bool end_array() override {
    is_in_list_ = false;
    return true;
  }
  bool parse_error(std::size_t /*at*/, const std::string& /*token*/,
                   const json::exception& /*what*/) override {
    return false;
  }

 private:
  [[noreturn]] static void refuse_shape() { refuse("it is not one flat object"); }

  template <typename Value>
  bool add(Value&& value) {
    if (!is_inside_) refuse_shape();
    if (is_in_list_) {
      fields_.back().second.push_back(std::forward<Value>(value));
    } else {
      fields_.back().second = std::forward<Value>(value);
    }
    return true;
  }

  Fields& fields_;
  bool is_inside_ = false;
  bool is_in_list_ = false;
};

}  // namespace

FlatObjectReader::FlatObjectReader(const std::string& text) {
  fields_.reserve(16);  // as most messages have at most
  FieldCollector collector(fields_);
  // The library takes a zero byte for the end of the text.
  const bool has_zero = text.find('\0') != std::string::npos;
  if (has_zero || !json::sax_parse(text, &collector)) refuse("it is not JSON");
}

json FlatObjectReader::take(const char* name) {
  const auto found = std::find_if(fields_.begin(), fields_.end(),
                                  [&](const auto& field) { return field.first == name; });
  if (found == fields_.end()) refuse(std::string(name) + " is missing");
  json value = std::move(found->second);
  *found = std::move(fields_.back());
  fields_.pop_back();
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

double FlatObjectReader::duration_ms(const char* name) {
  constexpr double kWeekMs = 7 * 24 * 3600 * 1000.0;
  const double value = number(name);
  if (!(value >= 0.0 && value <= kWeekMs)) refuse_field(name, "between 0 and 604800000");
  return value;
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
  if (!fields_.empty()) refuse("no field has the name " + fields_.front().first);
}

}  // namespace ssd1b
