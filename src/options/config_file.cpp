#include "options/config_file.h"

#include <toml++/toml.h>

#include <fstream>
#include <sstream>

#include "options/option_values.h"
#include "ssd1b/error.h"

namespace ssd1b {
namespace {

constexpr std::uintmax_t kMaxFileBytes = 1 << 20;

[[noreturn]] void refuse(const std::string& name, const toml::source_region& place,
                         const std::string& what) {
  throw Error(ErrorCode::Usage, name + ":" + std::to_string(place.begin.line) + ": " + what);
}

/// As TOML writes it, which is how the command line takes it too.
std::string number_text(const toml::node& value) {
  std::ostringstream text;
  text.precision(17);
  if (const auto* integer = value.as_integer()) {
    text << integer->get();
  } else {
    text << value.as_floating_point()->get();
  }
  return text.str();
}

ConfigValue value_of(const toml::node& value, const std::string& name, const std::string& key) {
  switch (value.type()) {
    case toml::node_type::string:
      return {ValueKind::Text, value.as_string()->get()};
    case toml::node_type::integer:
      return {ValueKind::Integer, number_text(value)};
    case toml::node_type::floating_point:
      return {ValueKind::Number, number_text(value)};
    case toml::node_type::boolean:
      return {ValueKind::Boolean, value.as_boolean()->get() ? "true" : "false"};
    default:
      break;
  }
  refuse(name, value.source(),
         "key " + key + " must be a text, a number, true or false, or a list of them");
}

ConfigEntry entry_of(const std::string& key, const toml::node& value, const std::string& name) {
  ConfigEntry entry;
  entry.key = key;
  entry.line = static_cast<int>(value.source().begin.line);
  const toml::array* list = value.as_array();
  entry.is_list = list != nullptr;
  if (!entry.is_list) {
    entry.values.push_back(value_of(value, name, key));
    return entry;
  }
  for (const toml::node& each : *list) entry.values.push_back(value_of(each, name, key));
  return entry;
}

}  // namespace

std::vector<ConfigEntry> parse_config(const std::string& text, const std::string& name) {
  std::vector<ConfigEntry> entries;
  try {
    const toml::table table = toml::parse(text);
    for (const auto& [key, value] : table) {
      if (value.is_table()) {
        refuse(name, value.source(),
               "tables are not used here: write key = value, got " +
                   in_quotes(std::string(key.str())));
      }
      entries.push_back(entry_of(std::string(key.str()), value, name));
    }
  } catch (const toml::parse_error& fault) {
    refuse(name, fault.source(), std::string(fault.description()));
  }
  return entries;
}

std::vector<ConfigEntry> read_config_file(const std::filesystem::path& file) {
  std::error_code fault;
  const auto status = std::filesystem::status(file, fault);
  if (fault || !std::filesystem::is_regular_file(status)) {
    throw Error(ErrorCode::Usage,
                in_quotes(file.string()) +
                    (std::filesystem::exists(status) ? " is no file" : " is not there"));
  }
  if (std::filesystem::file_size(file, fault) > kMaxFileBytes || fault) {
    throw Error(ErrorCode::Usage, in_quotes(file.string()) + " is longer than 1 MiB");
  }
  std::ifstream stream(file, std::ios::binary);
  std::ostringstream text;
  text << stream.rdbuf();
  if (!stream) throw Error(ErrorCode::Usage, in_quotes(file.string()) + " cannot be read");
  return parse_config(text.str(), file.string());
}

}  // namespace ssd1b
