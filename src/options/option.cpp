#include "options/option.h"

#include <algorithm>
#include <cctype>
#include <cstdio>
#include <utility>

#include "options/option_values.h"

namespace ssd1b {
namespace {

std::string text_of(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.15g", value);
  return text;
}

template <typename T>
std::string text_of(T value) {
  return std::to_string(value);
}

template <typename T>
std::string text_of(const std::optional<T>& value) {
  return value ? text_of(*value) : "none";
}

template <typename Target, typename Number>
Option whole_number_option(const std::string& name, Target& to, Range<Number> range) {
  Option option;
  option.name = name;
  option.value_name = "N";
  option.kind = ValueKind::Integer;
  option.must_be = "a whole number from " + text_of(range.low) + " to " + text_of(range.high);
  option.default_text = text_of(to);
  option.set = [&to, range](const std::string& given) {
    const std::optional<std::int64_t> value = integer_of(given);
    if (!value || *value < range.low || *value > range.high) return false;
    to = static_cast<Number>(*value);
    return true;
  };
  return option;
}

template <typename Target>
Option number_option(const std::string& name, Target& to, Range<double> range) {
  Option option;
  option.name = name;
  option.value_name = "NUMBER";
  option.kind = ValueKind::Number;
  option.must_be = "a number from " + text_of(range.low) + " to " + text_of(range.high);
  option.default_text = text_of(to);
  option.set = [&to, range](const std::string& given) {
    const std::optional<double> value = number_of(given);
    if (!value || !(*value >= range.low && *value <= range.high)) return false;
    to = *value;
    return true;
  };
  return option;
}

template <typename Target>
Option text_option(const std::string& name, const std::string& value_name, Target& to,
                   TextRule rule) {
  Option option;
  option.name = name;
  option.value_name = value_name;
  option.must_be = std::move(rule.must_be);
  option.default_text = "none";
  option.set = [&to, holds = std::move(rule.holds)](const std::string& given) {
    if (!holds(given)) return false;
    to = given;
    return true;
  };
  return option;
}

template <typename Target>
Option path_option(const std::string& name, Target& to) {
  return text_option(name, "PATH", to, {"a path", [](const std::string& given) {
                                          return !given.empty() &&
                                                 given.find('\0') == std::string::npos;
                                        }});
}

}  // namespace

Option& Option::in(const std::string& unit_of_value) {
  unit = unit_of_value;
  return *this;
}

Option& Option::or_variable(const std::string& name_of_variable) {
  other_variable = name_of_variable;
  return *this;
}

Option& Option::by_default(const std::string& text) {
  default_text = text;
  return *this;
}

Option& Option::only_as_flag() {
  is_flag_only = true;
  return *this;
}

Option& Option::says(const std::string& text) {
  help = text;
  return *this;
}

std::string Option::variable() const {
  if (is_flag_only) return "";
  std::string result = "SSD1B_";
  for (const char each : name) {
    result += each == '-' ? '_' : static_cast<char>(std::toupper(static_cast<unsigned char>(each)));
  }
  return result;
}

Option whole_number(const std::string& name, int& to, Range<int> range) {
  return whole_number_option(name, to, range);
}

Option whole_number(const std::string& name, std::optional<int>& to, Range<int> range) {
  return whole_number_option(name, to, range);
}

Option whole_number(const std::string& name, std::int64_t& to, Range<std::int64_t> range) {
  return whole_number_option(name, to, range);
}

Option number(const std::string& name, double& to, Range<double> range) {
  return number_option(name, to, range);
}

Option number(const std::string& name, std::optional<double>& to, Range<double> range) {
  return number_option(name, to, range);
}

Option on_or_off(const std::string& name, bool& to) {
  Option option;
  option.name = name;
  option.kind = ValueKind::Boolean;
  option.must_be = "true or false";
  option.default_text = to ? "on" : "off";
  option.set = [&to](const std::string& given) {
    const std::optional<bool> value = boolean_of(given);
    if (value) to = *value;
    return value.has_value();
  };
  return option;
}

Option size(const std::string& name, std::optional<std::int64_t>& to) {
  Option option;
  option.name = name;
  option.value_name = "SIZE";
  option.must_be = "a size of at least 1MiB, as 5.5GiB or 800MiB";
  option.default_text = "none";
  option.set = [&to](const std::string& given) {
    const std::optional<std::int64_t> value = bytes_of(given);
    if (value) to = *value;
    return value.has_value();
  };
  return option;
}

Option one_of(const std::string& name, std::string& to, const std::vector<std::string>& names) {
  std::string must_be;
  for (const std::string& each : names) must_be += (must_be.empty() ? "" : ", ") + each;
  const auto holds = [names](const std::string& given) {
    return std::find(names.begin(), names.end(), given) != names.end();
  };
  Option option = text_option(name, "NAME", to, {"one of " + must_be, holds});
  option.default_text = to;
  return option;
}

Option path(const std::string& name, std::filesystem::path& to) { return path_option(name, to); }

Option path(const std::string& name, std::optional<std::filesystem::path>& to) {
  return path_option(name, to);
}

Option text(const std::string& name, const std::string& value_name, std::string& to,
            TextRule rule) {
  Option option = text_option(name, value_name, to, std::move(rule));
  if (!to.empty()) option.default_text = to;
  return option;
}

Option text(const std::string& name, const std::string& value_name, std::optional<std::string>& to,
            TextRule rule) {
  return text_option(name, value_name, to, std::move(rule));
}

Option texts(const std::string& name, const std::string& value_name, std::vector<std::string>& to,
             TextRule rule) {
  Option option;
  option.name = name;
  option.value_name = value_name;
  option.must_be = std::move(rule.must_be);
  option.default_text = "none";
  option.is_repeatable = true;
  option.set = [&to, holds = std::move(rule.holds)](const std::string& given) {
    if (!holds(given)) return false;
    to.push_back(given);
    return true;
  };
  option.clear = [&to] { to.clear(); };
  return option;
}

}  // namespace ssd1b
