#include "options/read_options.h"

#include <algorithm>
#include <cstdlib>
#include <iterator>
#include <map>
#include <sstream>
#include <utility>

#include "options/config_file.h"
#include "options/option_values.h"
#include "options/options.h"
#include "ssd1b/error.h"

namespace ssd1b {
namespace {

/// An option's values from one source.
struct Given {
  std::vector<std::string> texts;
  std::string source;  // as messages show it
};

using GivenByName = std::map<std::string, Given>;

[[noreturn]] void refuse(const std::string& what) { throw Error(ErrorCode::Usage, what); }

const Option* find(const std::vector<Option>& options, const std::string& name) {
  const auto found = std::find_if(options.begin(), options.end(),
                                  [&](const Option& each) { return each.name == name; });
  return found == options.end() ? nullptr : &*found;
}

/// Letters to add, drop or change to make one word of the other.
std::size_t distance(const std::string& a, const std::string& b) {
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = std::exchange(row[0], i);
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t changed = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = std::exchange(row[j], std::min({row[j] + 1, row[j - 1] + 1, changed}));
    }
  }
  return row[b.size()];
}

std::string suggestion(const std::vector<Option>& options, const std::string& name,
                       const std::string& prefix) {
  const Option* best = nullptr;
  std::size_t best_distance = 3;
  for (const Option& each : options) {
    const std::size_t far = name.size() > 64 ? 64 : distance(name, each.name);
    if (far < best_distance) {
      best = &each;
      best_distance = far;
    }
  }
  return best == nullptr ? "; --help lists them" : "; did you mean " + prefix + best->name + "?";
}

void set(const Option& option, const Given& given) {
  if (option.clear) option.clear();
  for (const std::string& text : given.texts) {
    if (!option.set(text)) {
      refuse(option.flag() + " must be " + option.must_be + ", got " + in_quotes(text) + " (" +
             given.source + ")");
    }
  }
}

/// Reads the command line, one argument after the other.
class CommandLine {
 public:
  CommandLine(const std::vector<Option>& options, int argc, const char* const* argv)
      : options_(options), arguments_(argv + std::min(argc, 1), argv + argc) {
    for (; at_ < arguments_.size() && !wants_; ++at_) argument();
  }

  GivenByName given() const { return given_; }
  /// help or version, where one of them came.
  const std::optional<std::string>& wants() const { return wants_; }

 private:
  void argument() {
    const std::string argument = arguments_[at_];
    if (argument == "--help" || argument == "-h" || argument == "--version") {
      wants_ = argument == "--version" ? "version" : "help";
      return;
    }
    if (argument.compare(0, 2, "--") != 0 || argument.size() == 2) {
      refuse("every argument must be an option, got " + in_quotes(argument) +
             "; --help lists them");
    }
    const std::size_t equals = argument.find('=');
    const std::string name = argument.substr(2, equals == std::string::npos ? equals : equals - 2);
    const Option* option = find(options_, name);
    if (option == nullptr) {
      refuse("there is no option " + in_quotes("--" + name) + suggestion(options_, name, "--"));
    }
    Given& given = given_[name];
    if (!given.texts.empty() && !option->is_repeatable) refuse("--" + name + " is given twice");
    given.source = "on the command line";
    given.texts.push_back(equals == std::string::npos ? value_of(*option)
                                                      : argument.substr(equals + 1));
  }

  std::string value_of(const Option& option) {
    if (option.is_switch()) return "true";
    const bool has_next = at_ + 1 < arguments_.size();
    const std::string next = has_next ? arguments_[at_ + 1] : "";
    if (option.may_lack_value && (!has_next || next.compare(0, 2, "--") == 0)) return "";
    if (!has_next) refuse(option.flag() + " must be followed by " + option.must_be);
    const bool is_option =
        next.compare(0, 2, "--") == 0 && find(options_, next.substr(2, next.find('=') - 2));
    if (is_option) {
      refuse(option.flag() + " must be followed by " + option.must_be + ", got the option " +
             in_quotes(next) + " (write " + option.flag() +
             "=VALUE for a value that looks like one)");
    }
    ++at_;
    return next;
  }

  const std::vector<Option>& options_;
  const std::vector<std::string> arguments_;
  std::size_t at_ = 0;
  GivenByName given_;
  std::optional<std::string> wants_;
};

std::optional<Given> from_variable(const Option& option) {
  for (const std::string& variable : {option.variable(), option.other_variable}) {
    const char* value = variable.empty() ? nullptr : std::getenv(variable.c_str());
    if (value == nullptr) continue;
    Given given{{}, "variable " + variable};
    if (!option.is_repeatable) {
      given.texts.push_back(value);
      return given;
    }
    std::istringstream list(std::string(value) + ",");
    for (std::string text; std::getline(list, text, ',');) given.texts.push_back(text);
    return given;
  }
  return std::nullopt;
}

const char* name_of(ValueKind kind) {
  switch (kind) {
    case ValueKind::Text:
      return "a text in quotes";
    case ValueKind::Integer:
      return "an integer";
    case ValueKind::Number:
      return "a number";
    case ValueKind::Boolean:
      return "true or false";
  }
  return "a value";
}

Given from_entry(const Option& option, const ConfigEntry& entry, const std::string& source) {
  if (entry.is_list && !option.is_repeatable) {
    refuse(option.flag() + " must be one value, not a list (" + source + ")");
  }
  Given given{{}, source};
  for (const ConfigValue& value : entry.values) {
    const bool fits = value.kind == option.kind ||
                      (option.kind == ValueKind::Number && value.kind == ValueKind::Integer);
    if (!fits) {
      refuse(option.flag() + " must be " + name_of(option.kind) + ", got " + name_of(value.kind) +
             ": " + in_quotes(value.text) + " (" + source + ")");
    }
    given.texts.push_back(value.text);
  }
  return given;
}

/// The options that a config file can set.
std::vector<Option> keys_of(const std::vector<Option>& options) {
  std::vector<Option> keys;
  std::copy_if(options.begin(), options.end(), std::back_inserter(keys),
               [](const Option& each) { return !each.is_flag_only; });
  return keys;
}

std::vector<ConfigEntry> entries_of(const std::string& file, const std::string& source) {
  try {
    return read_config_file(file);
  } catch (const Error& error) {
    refuse("--config (" + source + "): " + error.what());
  }
}

void set_from_config(const std::vector<Option>& options, const std::string& file,
                     const std::string& source, OptionSources& sources) {
  const std::vector<Option> keys = keys_of(options);
  for (const ConfigEntry& entry : entries_of(file, source)) {
    const std::string place = file + ":" + std::to_string(entry.line);
    const Option* option = find(keys, entry.key);
    if (option == nullptr) {
      refuse("there is no key " + in_quotes(entry.key) + " (" + place + ")" +
             suggestion(keys, entry.key, ""));
    }
    const Given given = from_entry(*option, entry, place + ", key " + entry.key);
    set(*option, given);
    sources[option->name] = given.source;
  }
}

Option config_option(std::string& to) {
  return text("config", "FILE", to,
              {"a path", [](const std::string& given) { return !given.empty(); }})
      .says("a TOML file with flags as keys, as queue-size = 64; variables and flags win over it");
}

}  // namespace

const char* program_version() { return SSD1B_VERSION; }

std::string help_text(const Program& program, const std::vector<Option>& options) {
  std::string text = program.name + " " + program_version() + ": " + program.summary +
                     "\n\nusage: " + program.name + " [options]\n";
  for (const Option& option : options) {
    const std::string value =
        option.may_lack_value ? "[" + option.value_name + "]" : option.value_name;
    text += "\n  " + option.flag() + (option.is_switch() ? "" : " " + value) +
            (option.is_repeatable ? "   (repeatable)" : "") + "\n      " + option.help +
            "\n      default " + option.default_text;
    if (!option.is_switch()) text += "; " + option.must_be;
    if (!option.unit.empty()) text += "; in " + option.unit;
    if (!program.reads_flags_only && !option.is_flag_only) {
      text += "; variable " + option.variable();
      if (!option.other_variable.empty()) text += ", else " + option.other_variable;
    }
    text += "\n";
  }
  text += "\n  --help, --version\n      print this, or the version\n";
  if (!program.reads_flags_only) {
    text +=
        "\nA flag wins over a variable, a variable over the file of --config. Variables of "
        "repeatable "
        "options hold\na list with commas.\n";
  }
  return text;
}

std::string source_of(const OptionSources& sources, const std::string& option) {
  const auto found = sources.find(option);
  return found == sources.end() ? "the default" : found->second;
}

ReadOptions read_options(const Program& program, const std::vector<Option>& options, int argc,
                         const char* const* argv) {
  std::string config_file;
  std::vector<Option> all = options;
  if (!program.reads_flags_only) all.push_back(config_option(config_file));
  const CommandLine line(all, argc, argv);
  if (line.wants() == "help") return {help_text(program, all), {}};
  if (line.wants() == "version") return {program.name + " " + program_version() + "\n", {}};

  ReadOptions read;
  GivenByName given = line.given();
  if (!program.reads_flags_only) {
    for (const Option& option : all) {
      if (given.count(option.name) != 0) continue;
      if (const auto from = from_variable(option)) given.emplace(option.name, *from);
    }
    if (given.count("config") != 0) {
      set(all.back(), given.at("config"));
      set_from_config(options, config_file, given.at("config").source, read.sources);
    }
  }
  for (const Option& option : options) {
    const auto found = given.find(option.name);
    if (found == given.end()) continue;
    set(option, found->second);
    read.sources[option.name] = found->second.source;
  }
  return read;
}

}  // namespace ssd1b
