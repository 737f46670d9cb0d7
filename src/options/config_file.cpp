#include "options/config_file.h"

#include <fstream>
#include <set>
#include <sstream>

#include "options/option_values.h"
#include "ssd1b/error.h"

namespace ssd1b {
namespace {

constexpr std::uintmax_t kMaxFileBytes = 1 << 20;

void append_utf8(std::string& to, unsigned long code) {
  if (code < 0x80) {
    to += static_cast<char>(code);
  } else if (code < 0x800) {
    to += static_cast<char>(0xC0 | (code >> 6));
    to += static_cast<char>(0x80 | (code & 0x3F));
  } else if (code < 0x10000) {
    to += static_cast<char>(0xE0 | (code >> 12));
    to += static_cast<char>(0x80 | ((code >> 6) & 0x3F));
    to += static_cast<char>(0x80 | (code & 0x3F));
  } else {
    to += static_cast<char>(0xF0 | (code >> 18));
    to += static_cast<char>(0x80 | ((code >> 12) & 0x3F));
    to += static_cast<char>(0x80 | ((code >> 6) & 0x3F));
    to += static_cast<char>(0x80 | (code & 0x3F));
  }
}

/// A cursor over the text; every function consumes what its name says or throws.
class ConfigParser {
 public:
  ConfigParser(const std::string& text, const std::string& name) : text_(text), name_(name) {
    if (text_.compare(0, 3, "\xEF\xBB\xBF") == 0) at_ = 3;
  }

  std::vector<ConfigEntry> entries() {
    std::vector<ConfigEntry> result;
    for (skip_blank_lines(); !is_at_end(); skip_blank_lines()) {
      result.push_back(entry());
      end_of_line();
    }
    return result;
  }

 private:
  [[noreturn]] void fail(const std::string& what) const {
    throw Error(ErrorCode::Usage, name_ + ":" + std::to_string(line_) + ": " + what);
  }

  bool is_at_end() const { return at_ >= text_.size(); }
  char next() const { return is_at_end() ? '\0' : text_[at_]; }

  char take() {
    const char byte = next();
    ++at_;
    if (byte == '\n') ++line_;
    return byte;
  }

  void skip_blanks() {
    while (next() == ' ' || next() == '\t') take();
    if (next() == '#') {
      while (!is_at_end() && next() != '\n') take();
    }
    if (next() == '\r' && at_ + 1 < text_.size() && text_[at_ + 1] == '\n') take();
  }

  void skip_blank_lines() {
    for (skip_blanks(); !is_at_end() && next() == '\n'; skip_blanks()) take();
  }

  void end_of_line() {
    skip_blanks();
    if (!is_at_end() && next() != '\n') {
      fail("a line must end after its value, got " + in_quotes(rest_of_line()));
    }
  }

  std::string rest_of_line() const {
    const std::size_t end = text_.find_first_of("\r\n", at_);
    return text_.substr(at_, end == std::string::npos ? end : end - at_);
  }

  ConfigEntry entry() {
    if (next() == '[') fail("tables are not used here: write key = value");
    ConfigEntry result;
    result.line = line_;
    result.key = key();
    skip_blanks();
    if (next() != '=')
      fail("a line must be key = value, got " + in_quotes(result.key + rest_of_line()));
    take();
    while (next() == ' ' || next() == '\t') take();
    if (next() == '[') {
      result.is_list = true;
      result.values = array();
    } else {
      result.values = {value()};
    }
    return result;
  }

  std::string key() {
    if (next() == '"' || next() == '\'') return string();
    std::string result;
    const auto is_key_byte = [](char byte) {
      return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
             (byte >= '0' && byte <= '9') || byte == '-' || byte == '_';
    };
    while (is_key_byte(next())) result += take();
    if (result.empty()) fail("a line must be key = value, got " + in_quotes(rest_of_line()));
    return result;
  }

  std::vector<ConfigValue> array() {
    take();
    std::vector<ConfigValue> result;
    for (;;) {
      skip_blank_lines();
      if (next() == ']') break;
      result.push_back(value());
      skip_blank_lines();
      if (next() == ',') {
        take();
      } else if (next() != ']') {
        fail("values of a list must be separated by commas and end with ]");
      }
    }
    take();
    return result;
  }

  ConfigValue value() {
    if (next() == '"' || next() == '\'') return {ValueKind::Text, string()};
    if (next() == '[') fail("a list must not hold lists");
    std::string word;
    while (!is_at_end() && std::string(" \t\r\n,]#").find(next()) == std::string::npos) {
      word += take();
    }
    if (word == "true" || word == "false") return {ValueKind::Boolean, word};
    const std::string digits = without_underscores(word);
    if (integer_of(digits)) return {ValueKind::Integer, digits};
    if (number_of(digits)) return {ValueKind::Number, digits};
    fail("a value must be a text in quotes, a number, true or false, got " + in_quotes(word));
  }

  /// 2_359_296 and +5 as TOML has them; anything else as it is.
  static std::string without_underscores(const std::string& word) {
    std::string result;
    for (std::size_t i = 0; i < word.size(); ++i) {
      const bool is_between = i > 0 && i + 1 < word.size();
      if (word[i] == '_' && is_between && word[i - 1] != '_' && word[i + 1] != '_') continue;
      if (i == 0 && word[i] == '+') continue;
      result += word[i];
    }
    return result;
  }

  std::string string() {
    const char quote = take();
    std::string result;
    for (;;) {
      if (is_at_end() || next() == '\n') fail("a text must end in its quote on the same line");
      const char byte = take();
      if (byte == quote) break;
      if (byte == '\\' && quote == '"') {
        append_escape(result);
      } else {
        result += byte;
      }
    }
    if (result.empty() && next() == quote) fail("texts of several lines are not used here");
    return result;
  }

  void append_escape(std::string& to) {
    const char kind = take();
    const std::string simple = "btnfr\"\\";
    const std::size_t found = simple.find(kind);
    if (found != std::string::npos) {
      to += std::string("\b\t\n\f\r\"\\")[found];
      return;
    }
    if (kind != 'u' && kind != 'U') fail(std::string("a text must not hold \\") + kind);
    const std::size_t length = kind == 'u' ? 4 : 8;
    const std::string digits = text_.substr(at_, length);
    const bool is_hex = digits.find_first_not_of("0123456789abcdefABCDEF") == std::string::npos;
    if (digits.size() != length || !is_hex) fail("\\u must be followed by hex digits");
    const unsigned long code = std::stoul(digits, nullptr, 16);
    if (code > 0x10FFFF || (code >= 0xD800 && code < 0xE000)) {
      fail("\\" + std::string(1, kind) + digits + " is no character");
    }
    at_ += length;
    append_utf8(to, code);
  }

  const std::string& text_;
  const std::string& name_;
  std::size_t at_ = 0;
  int line_ = 1;
};

}  // namespace

std::vector<ConfigEntry> parse_config(const std::string& text, const std::string& name) {
  return ConfigParser(text, name).entries();
}

std::vector<ConfigEntry> read_config_file(const std::filesystem::path& file) {
  std::error_code fault;
  const auto status = std::filesystem::status(file, fault);
  if (fault || !std::filesystem::is_regular_file(status)) {
    throw Error(ErrorCode::Usage,
                "--config must name a file, got " + in_quotes(file.string()) +
                    (std::filesystem::exists(status) ? "" : ", which is not there"));
  }
  if (std::filesystem::file_size(file, fault) > kMaxFileBytes || fault) {
    throw Error(ErrorCode::Usage, "--config must name a file of at most 1 MiB: " + file.string());
  }
  std::ifstream stream(file, std::ios::binary);
  std::ostringstream text;
  text << stream.rdbuf();
  if (!stream) {
    throw Error(ErrorCode::Usage, "--config " + in_quotes(file.string()) + " cannot be read");
  }
  return parse_config(text.str(), file.string());
}

}  // namespace ssd1b
