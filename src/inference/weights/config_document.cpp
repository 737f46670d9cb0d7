#include "inference/weights/config_document.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "inference/weights/python_json.h"
#include "inference/weights/regular_file.h"
#include "inference/weights/safetensors_file.h"
#include "ssd1b/error.h"

namespace ssd1b {

struct ConfigDocument::Json {
  nlohmann::json value;
};

namespace {

using nlohmann::json;

constexpr std::size_t kMaxValueInMessage = 120;

bool is_integer(const json& value) {
  return value.is_number_integer() &&
         (!value.is_number_unsigned() || value.get<std::uint64_t>() <= std::uint64_t{INT64_MAX});
}

bool is_number_or_infinity(const json& value) {
  return value.is_number() && !std::isnan(value.get<double>());
}

bool is_finite_number(const json& value) {
  return value.is_number() && std::isfinite(value.get<double>());
}

template <typename Predicate>
bool is_list_of(const json& value, Predicate holds) {
  return value.is_array() && std::all_of(value.begin(), value.end(), holds);
}

/// As the file writes it.
std::string shown_value(const json& value) {
  if (value.is_number_float() && !std::isfinite(value.get<double>())) {
    const double number = value.get<double>();
    if (std::isnan(number)) return "NaN";
    return number < 0 ? "-Infinity" : "Infinity";
  }
  return value.dump(-1, ' ', /*ensure_ascii=*/true);
}

bool is_text(const json& value) { return value.is_string(); }

bool is_boolean(const json& value) { return value.is_boolean(); }

bool is_nested_integers(const json& value) {
  return is_integer(value) || is_list_of(value, is_nested_integers);
}

NestedIntegers nested_of(const json& value) {
  NestedIntegers result;
  if (!value.is_array()) {
    result.value = value.get<std::int64_t>();
    return result;
  }
  for (const json& item : value) result.items.push_back(nested_of(item));
  return result;
}

}  // namespace

ConfigDocument ConfigDocument::read(const std::filesystem::path& file, std::size_t max_bytes) {
  return parse(RegularFile(file).read_text(max_bytes), file);
}

ConfigDocument ConfigDocument::parse(const std::string& text, const std::filesystem::path& file) {
  ConfigDocument document;
  document.file_ = file;
  document.json_ = std::make_shared<const Json>(Json{parse_python_json(text, file)});
  return document;
}

bool ConfigDocument::has_key(const std::string& key) const { return json_->value.contains(key); }

bool ConfigDocument::has(const std::string& key) const {
  const auto found = json_->value.find(key);
  return found != json_->value.end() && !found->is_null();
}

bool ConfigDocument::has_text(const std::string& key) const {
  return has(key) && json_->value.at(key).is_string();
}

std::vector<std::string> ConfigDocument::keys() const {
  std::vector<std::string> names;
  for (const auto& item : json_->value.items()) names.push_back(item.key());
  return names;
}

std::string ConfigDocument::to_json() const {
  return json_->value.dump(-1, ' ', /*ensure_ascii=*/true);
}

void ConfigDocument::fail(const std::string& key, const std::string& must) const {
  std::string got = "nothing";
  const auto found = json_->value.find(key);
  if (found != json_->value.end()) {
    got = shown_value(*found);
    if (got.size() > kMaxValueInMessage) got = got.substr(0, kMaxValueInMessage) + "...";
  }
  throw Error(ErrorCode::BadModel,
              file_.string() + ": " + prefix_ + key + " must be " + must + ", got " + got);
}

void ConfigDocument::fail_key(const std::string& key, const std::string& must) const {
  throw Error(ErrorCode::BadModel,
              file_.string() + ": a key must be " + must + ", got " + shown(prefix_ + key));
}

void ConfigDocument::require(bool holds, const std::string& key, const std::string& must) const {
  if (!holds) fail(key, must);
}

void ConfigDocument::require_text(const std::string& key, const std::string& known) const {
  require(optional_text(key).value_or(known) == known, key,
          known + " (this program knows no other)");
}

/// The value of a key that `holds` accepts; absent and null: nullopt.
template <typename Value, typename Predicate>
std::optional<Value> ConfigDocument::optional_value(const std::string& key, const char* must,
                                                    Predicate holds) const {
  if (!has(key)) return std::nullopt;
  const json& value = json_->value.at(key);
  require(holds(value), key, must);
  return value.get<Value>();
}

/// The value of a key that must be there.
template <typename Value>
Value ConfigDocument::required(const std::string& key, const char* must,
                               std::optional<Value> value) const {
  if (!value) fail(key, must);
  return *std::move(value);
}

namespace {
constexpr const char* kInteger = "an integer";
constexpr const char* kNumber = "a number";
constexpr const char* kText = "a string";
constexpr const char* kBoolean = "true or false";
constexpr const char* kIntegers = "a list of integers";
constexpr const char* kNumbers = "a list of numbers";
constexpr const char* kTexts = "a list of strings";
constexpr const char* kNested = "an integer or a list of integers and lists";
}  // namespace

std::optional<std::int64_t> ConfigDocument::optional_integer(const std::string& key) const {
  return optional_value<std::int64_t>(key, kInteger, is_integer);
}

std::optional<double> ConfigDocument::optional_number(const std::string& key) const {
  return optional_value<double>(key, kNumber, is_finite_number);
}

std::optional<double> ConfigDocument::optional_number_or_infinity(const std::string& key) const {
  return optional_value<double>(key, "a number, Infinity or -Infinity", is_number_or_infinity);
}

std::optional<std::string> ConfigDocument::optional_text(const std::string& key) const {
  return optional_value<std::string>(key, kText, is_text);
}

std::optional<bool> ConfigDocument::optional_boolean(const std::string& key) const {
  if (json_->value.contains(key) && json_->value.at(key).is_null()) return false;
  return optional_value<bool>(key, kBoolean, is_boolean);
}

bool ConfigDocument::is_all_false(const std::string& key) const {
  if (!has(key)) return true;
  const json& value = json_->value.at(key);
  if (!is_list_of(value, is_boolean)) return !optional_boolean(key).value_or(false);
  return std::find(value.begin(), value.end(), json(true)) == value.end();
}

std::optional<std::vector<std::int64_t>> ConfigDocument::optional_integers(
    const std::string& key) const {
  return optional_value<std::vector<std::int64_t>>(
      key, kIntegers, [](const json& value) { return is_list_of(value, is_integer); });
}

std::optional<std::vector<double>> ConfigDocument::optional_numbers(const std::string& key) const {
  return optional_value<std::vector<double>>(
      key, kNumbers, [](const json& value) { return is_list_of(value, is_finite_number); });
}

std::optional<std::vector<std::string>> ConfigDocument::optional_texts(
    const std::string& key) const {
  return optional_value<std::vector<std::string>>(
      key, kTexts, [](const json& value) { return is_list_of(value, is_text); });
}

std::optional<NestedIntegers> ConfigDocument::optional_integers_or_nested(
    const std::string& key) const {
  if (!has(key)) return std::nullopt;
  const json& value = json_->value.at(key);
  require(is_nested_integers(value), key, kNested);
  return nested_of(value);
}

std::int64_t ConfigDocument::integer(const std::string& key) const {
  return required(key, kInteger, optional_integer(key));
}

std::int64_t ConfigDocument::integer(const std::string& key, const IntegerRange& range) const {
  return in_range(key, integer(key), range);
}

std::int64_t ConfigDocument::integer_or(const std::string& key, std::int64_t standard,
                                        const IntegerRange& range) const {
  return in_range(key, optional_integer(key).value_or(standard), range);
}

std::int64_t ConfigDocument::in_range(const std::string& key, std::int64_t value,
                                      const IntegerRange& range) const {
  require(range.least <= value && value <= range.most, key,
          "an integer from " + std::to_string(range.least) + " to " + std::to_string(range.most));
  return value;
}

double ConfigDocument::number(const std::string& key) const {
  return required(key, kNumber, optional_number(key));
}

std::string ConfigDocument::text(const std::string& key) const {
  return required(key, kText, optional_text(key));
}

bool ConfigDocument::boolean(const std::string& key) const {
  return required(key, kBoolean, optional_boolean(key));
}

std::vector<std::int64_t> ConfigDocument::integers(const std::string& key) const {
  return required(key, kIntegers, optional_integers(key));
}

std::vector<double> ConfigDocument::numbers(const std::string& key) const {
  return required(key, kNumbers, optional_numbers(key));
}

std::vector<std::string> ConfigDocument::texts(const std::string& key) const {
  return required(key, kTexts, optional_texts(key));
}

NestedIntegers ConfigDocument::integers_or_nested(const std::string& key) const {
  return required(key, kNested, optional_integers_or_nested(key));
}

std::vector<std::int64_t> ConfigDocument::integers_or_one(const std::string& key,
                                                          std::size_t count) const {
  const std::string must = "an integer or a list of " + std::to_string(count) + " integers";
  require(has(key), key, must);
  const json& value = json_->value.at(key);
  if (is_integer(value)) return std::vector<std::int64_t>(count, value.get<std::int64_t>());
  require(is_list_of(value, is_integer) && value.size() == count, key, must);
  return value.get<std::vector<std::int64_t>>();
}

ConfigDocument ConfigDocument::object(const std::string& key) const {
  require(has(key) && json_->value.at(key).is_object(), key, "an object");
  ConfigDocument inner;
  inner.file_ = file_;
  inner.prefix_ = prefix_ + key + ".";
  inner.json_ = std::make_shared<const Json>(Json{json_->value.at(key)});
  return inner;
}

ConfigDocument ConfigDocument::with(
    const std::vector<std::pair<std::string, std::string>>& changes) const {
  ConfigDocument changed = *this;
  auto copy = std::make_shared<Json>(*json_);
  for (const auto& [key, text] : changes) copy->value[key] = json::parse(text);
  changed.json_ = std::move(copy);
  return changed;
}

ConfigDocument ConfigDocument::without(const std::vector<std::string>& keys) const {
  ConfigDocument changed = *this;
  auto copy = std::make_shared<Json>(*json_);
  for (const std::string& key : keys) copy->value.erase(key);
  changed.json_ = std::move(copy);
  return changed;
}

}  // namespace ssd1b
