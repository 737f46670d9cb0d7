#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <type_traits>
#include <variant>

namespace ssd1b {

/// One `key=value` of a record. Texts are only looked at: they must outlive the call that logs.
struct LogField {
  using Value = std::variant<std::string_view, std::int64_t, std::uint64_t, double, bool>;

  template <typename T>
  LogField(std::string_view name, const T& of) : key(name), value(value_of(of)) {}

  std::string_view key;
  Value value;

 private:
  template <typename T>
  static Value value_of(const T& of) {
    if constexpr (std::is_same_v<T, bool>) {
      return of;
    } else if constexpr (std::is_floating_point_v<T>) {
      return static_cast<double>(of);
    } else if constexpr (std::is_integral_v<T> && std::is_signed_v<T>) {
      return static_cast<std::int64_t>(of);
    } else if constexpr (std::is_integral_v<T>) {
      return static_cast<std::uint64_t>(of);
    } else {
      return std::string_view(of);
    }
  }
};

using LogFields = std::initializer_list<LogField>;

/// Records of `level` (error, warn, info, debug) and graver go to standard error from now on, one
/// line each, as `format` (text: `what key=value`; json: one object) has them. Call it once, before
/// other threads log and before other files are opened: where standard error is closed, /dev/null
/// takes its place. Throws Error(Usage) for another level or format. Without it: info, text.
void set_up_logging(const std::string& level, const std::string& format);

// Thread-safe; never block and never throw. A thread of their own writes; when standard error is
// stuck, the oldest records waiting are dropped and counted. `what` is our own words, no prompt
// ever.
void log_error(std::string_view what, LogFields fields = {});  // someone must act
void log_warn(std::string_view what, LogFields fields = {});   // degraded
void log_info(std::string_view what,
              LogFields fields = {});  // lifecycle, one access line a request
void log_debug(std::string_view what, LogFields fields = {});  // timings of stages

/// Records that were lost because standard error was stuck, closed or failing.
std::uint64_t dropped_log_records();

/// Writes what waits, for at most half a second, and stops the thread; later records are lost. Also
/// done at exit() by itself.
void shut_down_logging();

/// Writes a line that is not of the log to standard error. Blocks for at most half a second,
/// however stuck standard error is.
void write_last_line(const std::string& line);

}  // namespace ssd1b
