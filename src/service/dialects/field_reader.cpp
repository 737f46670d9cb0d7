#include "service/dialects/field_reader.h"

#include <algorithm>

#include "service/dialects/shown_text.h"
#include "ssd1b/request_limits.h"
#include "utf8/utf8.h"

namespace ssd1b {
namespace {

constexpr std::size_t kMostNamed = 8;  // unknown fields in one message

std::string shown_value_of(const Json& value) {
  if (value.is_string()) return '"' + shown(value.get<std::string>()) + '"';
  if (value.is_array()) return "a list";
  if (value.is_object()) return "an object";
  return value.dump();  // null, a boolean or a number
}

std::string joined(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
  return text;
}

bool holds(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

std::string number_text(double value) { return Json(value).dump(); }

[[noreturn]] void refuse_unknown(const std::vector<std::string>& unknown, const FieldNames& names,
                                 const std::string& path) {
  std::vector<std::string> strangers;
  for (const std::string& name : unknown) {
    if (holds(names.reserved, name)) continue;
    strangers.push_back(path + (name.empty() ? "\"\"" : shown(name)));
  }
  if (strangers.empty()) {
    const std::string name = path + unknown.front();
    throw Error(ErrorCode::NotSupported, name + " is not supported yet", name);
  }
  const std::string first = strangers.front();
  const char* verdict = strangers.size() == 1 ? " is no field" : " are no fields";
  if (strangers.size() > kMostNamed) {
    strangers[kMostNamed] = "and " + std::to_string(strangers.size() - kMostNamed) + " more";
    strangers.resize(kMostNamed + 1);
  }
  std::vector<std::string> fields;
  for (const Field& field : names.known) fields.push_back(field.names.front());
  throw Error(ErrorCode::UnknownField,
              joined(strangers) + verdict + " of this request; its fields are " + joined(fields),
              first);
}

}  // namespace

FieldReader::FieldReader(const Json& object, const FieldNames& names, std::string_view text,
                         std::string path)
    : text_(text) {
  if (!object.is_object()) {
    throw Error(ErrorCode::InvalidValue,
                (path.empty() ? "the body" : path) + " must be a JSON object, got " +
                    shown_value_of(object),
                path);
  }
  if (!path.empty()) path += '.';
  sources_.push_back({&names, path});
  std::vector<std::string> unknown;
  for (const auto& [name, value] : object.items()) {
    const auto has_name = [&name = name](const Field& field) { return holds(field.names, name); };
    const auto field = std::find_if(names.known.begin(), names.known.end(), has_name);
    if (field == names.known.end()) {
      unknown.push_back(name);
      continue;
    }
    if (value.is_null() && field->null_is_absent) continue;
    const auto [other, is_new] = values_.insert({field->id, {path + name, &value}});
    if (!is_new) {
      throw Error(ErrorCode::DuplicateField,
                  other->second.name + " and " + name + " are two names of one field: give one",
                  path + name);
    }
  }
  if (!unknown.empty()) refuse_unknown(unknown, names, path);
}

void FieldReader::add(const FieldReader& nested) {
  sources_.insert(sources_.end(), nested.sources_.begin(), nested.sources_.end());
  values_.insert(nested.values_.begin(), nested.values_.end());
}

const Json* FieldReader::find(const std::string& field) const {
  const auto found = values_.find(field);
  return found == values_.end() ? nullptr : found->second.json;
}

bool FieldReader::is_null(const std::string& field) const {
  const Json* value = find(field);
  return value != nullptr && value->is_null();
}

std::string FieldReader::name(const std::string& field) const {
  if (const auto found = values_.find(field); found != values_.end()) return found->second.name;
  for (const Source& source : sources_) {
    for (const Field& each : source.names->known) {
      if (each.id == field) return source.path + each.names.front();
    }
  }
  throw Error(ErrorCode::InternalError, "the dialect has no field " + field + ": this is a bug");
}

std::string FieldReader::shown_value(const std::string& field) const {
  const Json* value = find(field);
  if (value == nullptr) return "nothing";
  const std::string number = value->is_number() ? written_number(text_, name(field)) : "";
  return number.empty() ? shown_value_of(*value) : shown(number);
}

Error FieldReader::invalid(const std::string& field, const std::string& must) const {
  return Error(ErrorCode::InvalidValue,
               name(field) + " must be " + must + ", got " + shown_value(field), name(field));
}

std::optional<std::string> FieldReader::text(const std::string& field) const {
  const Json* value = find(field);
  if (value == nullptr) return std::nullopt;
  if (!value->is_string()) throw invalid(field, "a string");
  return value->get<std::string>();
}

std::optional<std::string> FieldReader::prompt(const std::string& field, bool may_be_empty) const {
  std::optional<std::string> text = this->text(field);
  if (!text) return std::nullopt;
  // The text itself is in no message: messages are logged, prompts never.
  if (text->size() > kMaxPromptBytes || (text->empty() && !may_be_empty)) {
    throw Error(ErrorCode::InvalidValue,
                name(field) + " must hold " + (may_be_empty ? "at most" : "1 to") +
                    " 4096 bytes of UTF-8, got " + std::to_string(text->size()),
                name(field));
  }
  const std::size_t control = find_control_character(*text);
  if (control != std::string::npos) {
    throw Error(ErrorCode::InvalidValue,
                name(field) +
                    " must hold no control characters but tab and newline, got one at byte " +
                    std::to_string(control + 1),
                name(field));
  }
  return text;
}

std::optional<std::int64_t> FieldReader::integer(const std::string& field, std::int64_t low,
                                                 std::int64_t high) const {
  const Json* value = find(field);
  if (value == nullptr) return std::nullopt;
  const std::string must =
      "an integer between " + std::to_string(low) + " and " + std::to_string(high);
  if (!value->is_number_integer()) throw invalid(field, must);
  if (value->is_number_unsigned() && value->get<std::uint64_t>() > INT64_MAX) {
    throw invalid(field, must);
  }
  const auto integer = value->get<std::int64_t>();
  if (integer < low || integer > high) throw invalid(field, must);
  return integer;
}

std::optional<double> FieldReader::number(const std::string& field, double low, double high) const {
  const Json* value = find(field);
  if (value == nullptr) return std::nullopt;
  const std::string must = "a number between " + number_text(low) + " and " + number_text(high);
  if (!value->is_number()) throw invalid(field, must);
  const auto number = value->get<double>();
  if (!(number >= low && number <= high)) throw invalid(field, must);
  return number;
}

std::optional<bool> FieldReader::boolean(const std::string& field) const {
  const Json* value = find(field);
  if (value == nullptr) return std::nullopt;
  if (!value->is_boolean()) throw invalid(field, "true or false");
  return value->get<bool>();
}

std::optional<std::string> FieldReader::choice(const std::string& field,
                                               const std::vector<std::string>& choices) const {
  const Json* value = find(field);
  if (value == nullptr) return std::nullopt;
  if (!value->is_string() || !holds(choices, value->get_ref<const std::string&>())) {
    throw invalid(field, "one of " + joined(choices));
  }
  return value->get<std::string>();
}

std::optional<std::uint64_t> FieldReader::seed(const std::string& field) const {
  const Json* value = find(field);
  if (value == nullptr || value->is_null()) return std::nullopt;
  // Not `*value == -1`: the library takes 2^64-1 for equal to -1.
  const bool is_negative =
      value->is_number_integer() && !value->is_number_unsigned() && value->get<std::int64_t>() < 0;
  if (is_negative && value->get<std::int64_t>() == -1) return std::nullopt;
  if (!value->is_number_integer() || is_negative) {
    throw invalid(field,
                  "an integer between 0 and 18446744073709551615, or -1 or null for a random one");
  }
  return value->get<std::uint64_t>();
}

}  // namespace ssd1b
