#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace ssd1b {

/// What a value may be written as in a config file; on the command line and in variables all are
/// text.
enum class ValueKind { Text, Integer, Number, Boolean };

/// One option: everything that is known of it, in one place. The flag is `--name`, the key of the
/// config file `name`, the variable SSD1B_NAME.
struct Option {
  std::string name;
  std::string value_name;  // as --help shows it; empty: a switch that takes no value
  ValueKind kind = ValueKind::Text;
  std::string must_be;       // what must hold: "a whole number from 0 to 100000"
  std::string default_text;  // as --help shows it
  std::string unit;
  std::string help;
  std::string other_variable;   // asked where SSD1B_NAME is not set
  bool is_repeatable = false;   // given again: one more value; in a variable: separated by commas
  bool is_flag_only = false;    // neither variable nor key
  bool may_lack_value = false;  // --healthcheck [URL]: without one the empty text is set
  std::function<bool(const std::string& text)> set;  // false: the text is not what it must be
  std::function<void()> clear;  // of repeatable ones: forgets the values of a lower source

  // For lists of options that read like a table.
  Option& in(const std::string& unit_of_value);
  Option& or_variable(const std::string& name_of_variable);
  Option& by_default(const std::string& text);
  Option& only_as_flag();
  Option& says(const std::string& text);

  std::string flag() const { return "--" + name; }
  std::string variable() const;  // SSD1B_NAME, or empty
  bool is_switch() const { return value_name.empty(); }
};

template <typename T>
struct Range {
  T low;
  T high;
};

// Options bound to where their value goes; what stands there is the default. The target must
// outlive the option.
Option whole_number(const std::string& name, int& to, Range<int> range);
Option whole_number(const std::string& name, std::optional<int>& to, Range<int> range);
Option whole_number(const std::string& name, std::int64_t& to, Range<std::int64_t> range);
Option number(const std::string& name, double& to, Range<double> range);
Option number(const std::string& name, std::optional<double>& to, Range<double> range);
Option on_or_off(const std::string& name, bool& to);
/// A size in bytes, as `5.5GiB`.
Option size(const std::string& name, std::optional<std::int64_t>& to);
Option one_of(const std::string& name, std::string& to, const std::vector<std::string>& names);
Option path(const std::string& name, std::filesystem::path& to);
Option path(const std::string& name, std::optional<std::filesystem::path>& to);

/// What a text must be, in words and as a test.
struct TextRule {
  std::string must_be;
  std::function<bool(const std::string&)> holds;
};

Option text(const std::string& name, const std::string& value_name, std::string& to, TextRule rule);
Option text(const std::string& name, const std::string& value_name, std::optional<std::string>& to,
            TextRule rule);
Option texts(const std::string& name, const std::string& value_name, std::vector<std::string>& to,
             TextRule rule);

}  // namespace ssd1b
