#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "logging/log.h"

namespace ssd1b {

enum class LogFormat { Text, Json };

/// What one line is made of.
struct LogRecord {
  std::chrono::system_clock::time_point time;
  std::string_view level;
  std::string_view what;
  LogFields fields;
};

/// The record as one line without its newline. Whatever the texts hold, no byte of the line is a
/// control character and it is valid UTF-8; texts longer than 4,096 bytes are cut.
std::string log_line(LogFormat format, const LogRecord& record);

}  // namespace ssd1b
