#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "options/option.h"

namespace ssd1b {

/// One value of a config file.
struct ConfigValue {
  ValueKind kind = ValueKind::Text;
  std::string text;  // as the same value would be written on the command line
};

/// `key = value` or `key = [values]` of a config file.
struct ConfigEntry {
  std::string key;
  int line = 0;
  bool is_list = false;
  std::vector<ConfigValue> values;
};

/// Parses TOML (by toml++). Options are a flat list: tables and dates are refused. Throws
/// Error(Usage): `name:LINE: what is wrong`.
std::vector<ConfigEntry> parse_config(const std::string& text, const std::string& name);

/// Reads a file of at most 1 MiB and parses it. Throws Error(Usage): the file and what is wrong
/// with it. Blocks on the disk.
std::vector<ConfigEntry> read_config_file(const std::filesystem::path& file);

}  // namespace ssd1b
