#include "logging/log_record.h"

#include <cmath>
#include <cstdio>
#include <ctime>
#include <nlohmann/json.hpp>

#include "utf8/utf8.h"

namespace ssd1b {
namespace {

constexpr std::size_t kMaxTextBytes = 4096;

/// Control characters in all their guises: C0, DEL, C1, Unicode's line and paragraph separators and
/// what turns the direction of writing (U+061C, 200E, 200F, 202A to 202E, 2066 to 2069, FEFF).
bool is_control(std::string_view character) {
  const auto first = static_cast<unsigned char>(character[0]);
  if (first < 0x20 || first == 0x7F) return true;
  if (first == 0xC2) return static_cast<unsigned char>(character[1]) < 0xA0;
  const bool may_turn =
      character.substr(0, 2) == "\xE2\x80" || character.substr(0, 2) == "\xE2\x81";
  if (!may_turn) return character == "\u061C" || character == "\uFEFF";
  return (character >= "\u2028" && character <= "\u202E") ||
         (character >= "\u2066" && character <= "\u2069") || character == "\u200E" ||
         character == "\u200F";
}

void append_bytes_escaped(std::string& line, std::string_view bytes) {
  for (const char byte : bytes) {
    char escape[5];
    std::snprintf(escape, sizeof escape, "\\x%02x", static_cast<unsigned char>(byte));
    line += escape;
  }
}

/// Cuts at a character's border and says so.
std::string cut(std::string_view text) {
  if (text.size() <= kMaxTextBytes) return std::string(text);
  std::size_t end = kMaxTextBytes;
  while (end > kMaxTextBytes - 4 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
  return std::string(text.substr(0, end)) + "...";
}

/// Appends with everything escaped that could end a line or move a terminal's cursor.
void append_escaped(std::string& line, std::string_view text, bool is_quoted) {
  while (!text.empty()) {
    const std::size_t length = utf8_length(text);
    const std::string_view character = text.substr(0, length == 0 ? 1 : length);
    if (character == "\n") {
      line += "\\n";
    } else if (length == 0 || is_control(character)) {
      append_bytes_escaped(line, character);
    } else {
      if (is_quoted && (character == "\"" || character == "\\")) line += '\\';
      line += character;
    }
    text.remove_prefix(character.size());
  }
}

bool needs_quotes(std::string_view text) {
  if (text.empty()) return true;
  for (std::string_view rest = text; !rest.empty();) {
    const std::size_t length = utf8_length(rest);
    if (length == 0 || is_control(rest.substr(0, length))) return true;
    const char first = rest[0];
    if (first == ' ' || first == '"' || first == '=' || first == '\\') return true;
    rest.remove_prefix(length);
  }
  return false;
}

std::string number_text(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.6g", value);
  return text;
}

/// 2026-11-24T15:05:33.123Z
std::string time_text(std::chrono::system_clock::time_point time) {
  const auto since_epoch = time.time_since_epoch();
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(since_epoch).count() % 1000;
  const std::time_t seconds = std::chrono::system_clock::to_time_t(time);
  std::tm utc{};
  gmtime_r(&seconds, &utc);
  char date[32];
  std::strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%S", &utc);
  char text[48];
  std::snprintf(text, sizeof text, "%s.%03dZ", date, static_cast<int>(ms));
  return text;
}

void append_value(std::string& line, const LogField::Value& value) {
  if (const auto* text = std::get_if<std::string_view>(&value)) {
    const bool is_quoted = needs_quotes(*text);
    if (is_quoted) line += '"';
    append_escaped(line, cut(*text), is_quoted);
    if (is_quoted) line += '"';
  } else if (const auto* number = std::get_if<double>(&value)) {
    line += number_text(*number);
  } else if (const auto* flag = std::get_if<bool>(&value)) {
    line += *flag ? "true" : "false";
  } else if (const auto* integer = std::get_if<std::int64_t>(&value)) {
    line += std::to_string(*integer);
  } else {
    line += std::to_string(std::get<std::uint64_t>(value));
  }
}

std::string text_line(const LogRecord& record) {
  std::string line = time_text(record.time) + " ";
  line += record.level;
  line += ' ';
  append_escaped(line, cut(record.what), /*is_quoted=*/false);
  for (const LogField& field : record.fields) {
    line += ' ';
    append_escaped(line, field.key, /*is_quoted=*/false);
    line += '=';
    append_value(line, field.value);
  }
  return line;
}

nlohmann::ordered_json json_value(const LogField::Value& value) {
  if (const auto* text = std::get_if<std::string_view>(&value)) return cut(*text);
  if (const auto* number = std::get_if<double>(&value)) {
    if (!std::isfinite(*number)) return number_text(*number);  // JSON has no such number
    return *number;
  }
  if (const auto* flag = std::get_if<bool>(&value)) return *flag;
  if (const auto* integer = std::get_if<std::int64_t>(&value)) return *integer;
  return std::get<std::uint64_t>(value);
}

std::string json_line(const LogRecord& record) {
  nlohmann::ordered_json object;
  object["time"] = time_text(record.time);
  object["level"] = record.level;
  object["message"] = cut(record.what);
  for (const LogField& field : record.fields) {
    object[std::string(field.key)] = json_value(field.value);
  }
  // ASCII only: a reader that splits lines at U+2028 or U+0085 sees none; broken UTF-8 is replaced.
  return object.dump(-1, ' ', /*ensure_ascii=*/true,
                     nlohmann::ordered_json::error_handler_t::replace);
}

}  // namespace

std::string log_line(LogFormat format, const LogRecord& record) {
  return format == LogFormat::Json ? json_line(record) : text_line(record);
}

}  // namespace ssd1b
