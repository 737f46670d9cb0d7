#pragma once

#include <optional>
#include <string>
#include <vector>

#include "options/option.h"
#include "options/options.h"

namespace ssd1b {

/// Who reads options and from where.
struct Program {
  std::string name;
  std::string summary;
  bool reads_flags_only = false;  // neither variables nor a config file
};

/// What came of reading: the text that --help or --version asks for, if one is given; then nothing
/// has been set.
struct ReadOptions {
  std::optional<std::string> text_to_print;
  OptionSources sources;
};

/// Sets the options from the file that --config or SSD1B_CONFIG names, then from SSD1B_...
/// variables, then from flags; the later wins. Throws Error(Usage) that names the option, where it
/// came from, what must hold and what came. The winner's value of each option is checked, and all
/// of the config file.
ReadOptions read_options(const Program& program, const std::vector<Option>& options, int argc,
                         const char* const* argv);

/// What --help prints.
std::string help_text(const Program& program, const std::vector<Option>& options);

}  // namespace ssd1b
