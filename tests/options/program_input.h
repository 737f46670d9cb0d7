#pragma once

#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

namespace ssd1b {

/// What a program is started with, for the length of one test case: variables are set and unset,
/// the config file is written and removed.
class ProgramInput {
 public:
  ProgramInput(std::vector<std::string> flags,
               std::vector<std::pair<std::string, std::string>> variables = {},
               const std::string& config = "")
      : arguments_{"program"}, variables_(std::move(variables)) {
    if (!config.empty()) {
      file_ = std::filesystem::temp_directory_path() /
              ("ssd1b-options-" + std::to_string(::getpid()) + ".toml");
      std::ofstream(file_, std::ios::binary) << config;
      arguments_.insert(arguments_.end(), {"--config", file_.string()});
    }
    arguments_.insert(arguments_.end(), flags.begin(), flags.end());
    for (const std::string& argument : arguments_) pointers_.push_back(argument.c_str());
    for (const auto& [name, value] : variables_) ::setenv(name.c_str(), value.c_str(), 1);
  }
  ~ProgramInput() {
    for (const auto& [name, value] : variables_) ::unsetenv(name.c_str());
    std::error_code ignored;
    if (!file_.empty()) std::filesystem::remove(file_, ignored);
  }
  ProgramInput(const ProgramInput&) = delete;
  ProgramInput& operator=(const ProgramInput&) = delete;

  int argc() const { return static_cast<int>(pointers_.size()); }
  const char* const* argv() const { return pointers_.data(); }
  std::string file() const { return file_.string(); }

 private:
  std::vector<std::string> arguments_;
  std::vector<std::pair<std::string, std::string>> variables_;
  std::vector<const char*> pointers_;
  std::filesystem::path file_;
};

}  // namespace ssd1b
