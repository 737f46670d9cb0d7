#include "service/dialects/json_text.h"

#include <charconv>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "service/dialects/shown_text.h"
#include "ssd1b/error.h"

namespace ssd1b {
namespace {

constexpr std::size_t kMaxDepth = 32;

/// A decimal number without its point: sign * digits * 10^exponent.
struct Decimal {
  bool is_negative = false;
  std::string digits;  // no zeros at either end; empty is zero
  std::int64_t exponent = 0;
};

/// nullopt where the exponent does not fit 64 bits.
std::optional<Decimal> read_decimal(const std::string& number) {
  Decimal decimal;
  decimal.is_negative = number[0] == '-';
  const std::size_t e = number.find_first_of("eE");
  bool is_behind_point = false;
  for (const char c : number.substr(0, e)) {
    if (c == '.') is_behind_point = true;
    if (c < '0' || c > '9') continue;
    if (is_behind_point) --decimal.exponent;
    if (c != '0' || !decimal.digits.empty()) decimal.digits += c;
  }
  if (e != std::string::npos && !decimal.digits.empty()) {
    const char* first = number.data() + e + (number[e + 1] == '+' ? 2 : 1);
    std::int64_t exponent = 0;
    if (std::from_chars(first, number.data() + number.size(), exponent).ec != std::errc() ||
        exponent > 1000 || exponent < -1000000) {
      return std::nullopt;
    }
    decimal.exponent += exponent;
  }
  while (!decimal.digits.empty() && decimal.digits.back() == '0') {
    decimal.digits.pop_back();
    ++decimal.exponent;
  }
  return decimal;
}

/// The integer that a JSON number with a fraction or an exponent stands for; nullopt where it
/// stands for none, or for one of more than 64 bits.
std::optional<Json> exact_integer(const std::string& number) {
  std::optional<Decimal> decimal = read_decimal(number);
  if (!decimal) return std::nullopt;
  if (decimal->digits.empty()) return Json(std::uint64_t{0});
  const auto size = static_cast<std::int64_t>(decimal->digits.size());
  if (decimal->exponent < 0 || size + decimal->exponent > 20) return std::nullopt;
  std::string digits = decimal->digits + std::string(decimal->exponent, '0');
  if (decimal->is_negative) {
    std::int64_t value = 0;
    digits.insert(0, 1, '-');
    const auto result = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    return result.ec == std::errc() ? std::optional<Json>(value) : std::nullopt;
  }
  std::uint64_t value = 0;
  const auto result = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  return result.ec == std::errc() ? std::optional<Json>(value) : std::nullopt;
}

/// Builds the document and refuses what the library would let through.
class DocumentBuilder final : public nlohmann::json_sax<Json> {
 public:
  explicit DocumentBuilder(const std::string& text) : text_(text) {}

  Json take() { return std::move(document_); }

  bool null() override { return put(nullptr); }
  bool boolean(bool value) override { return put(value); }
  bool number_integer(number_integer_t value) override { return put(value); }
  bool number_unsigned(number_unsigned_t value) override { return put(value); }
  bool number_float(number_float_t value, const string_t& number) override {
    const std::optional<Json> integer = exact_integer(number);
    return put(integer ? *integer : Json(value));
  }
  bool string(string_t& value) override { return put(std::move(value)); }
  bool binary(binary_t&) override { return false; }  // JSON text has none
  bool start_object(std::size_t) override { return open(Json::object()); }
  bool start_array(std::size_t) override { return open(Json::array()); }
  bool end_object() override { return close(); }
  bool end_array() override { return close(); }

  bool key(string_t& name) override {
    Level& level = levels_.back();
    level.key = std::move(name);
    if (level.value.contains(level.key)) {
      const std::string path = shown(path_of_key());
      throw Error(ErrorCode::DuplicateField, path + " is given twice", path);
    }
    return true;
  }

  bool parse_error(std::size_t position, const std::string&,
                   const nlohmann::detail::exception& exception) override {
    // What the library says is for programmers; the client gets the place and what is there.
    constexpr int kNumberOverflow = 406;
    if (exception.id == kNumberOverflow) {
      throw Error(
          ErrorCode::InvalidJson,
          "the body holds a number that is too large, before byte " + std::to_string(position));
    }
    throw Error(ErrorCode::InvalidJson, "the body must be one JSON text: " + what_is_at(position));
  }

 private:
  struct Level {
    Json value;
    std::string key;
  };

  bool put(Json value) {
    if (levels_.empty()) {
      document_ = std::move(value);
    } else if (Level& level = levels_.back(); level.value.is_array()) {
      level.value.push_back(std::move(value));
    } else {
      level.value[level.key] = std::move(value);
    }
    return true;
  }

  bool open(Json value) {
    if (levels_.size() == kMaxDepth) {
      throw Error(ErrorCode::InvalidJson,
                  "the body must be nested at most " + std::to_string(kMaxDepth) + " levels deep");
    }
    levels_.push_back({std::move(value), ""});
    return true;
  }

  bool close() {
    Json value = std::move(levels_.back().value);
    levels_.pop_back();
    return put(std::move(value));
  }

  std::string path_of_key() const {
    std::string path;
    for (const Level& level : levels_) {
      if (level.value.is_object()) path += (path.empty() ? "" : ".") + level.key;
    }
    return path;
  }

  /// `position` counts the bytes read, the wrong one included.
  std::string what_is_at(std::size_t position) const {
    if (text_.find_first_not_of(" \t\r\n") == std::string::npos) return "it is empty";
    if (position > text_.size()) {
      return "it ends too early, at byte " + std::to_string(text_.size());
    }
    const auto byte = static_cast<unsigned char>(text_[position == 0 ? 0 : position - 1]);
    const std::string at = " at byte " + std::to_string(position);
    if (byte >= 0x80) return "not valid UTF-8, or a character outside of a string," + at;
    if (byte < 0x20 || byte == 0x7F) return "a control character that must be escaped" + at;
    return "a syntax error" + at;
  }

  const std::string& text_;
  std::vector<Level> levels_;
  Json document_;
};

/// Finds the number at one path.
class NumberFinder final : public nlohmann::json_sax<Json> {
 public:
  explicit NumberFinder(const std::string& path) : path_(path) {}

  std::string found;

  bool null() override { return true; }
  bool boolean(bool) override { return true; }
  bool number_integer(number_integer_t) override { return true; }
  bool number_unsigned(number_unsigned_t) override { return true; }
  bool number_float(number_float_t, const string_t& number) override {
    if (is_at_path()) found = number;
    return true;
  }
  bool string(string_t&) override { return true; }
  bool binary(binary_t&) override { return true; }
  bool start_object(std::size_t) override {
    keys_.emplace_back();
    return true;
  }
  bool key(string_t& name) override {
    keys_.back() = name;
    return true;
  }
  bool end_object() override {
    keys_.pop_back();
    return true;
  }
  bool start_array(std::size_t) override { return true; }
  bool end_array() override { return true; }
  bool parse_error(std::size_t, const std::string&, const nlohmann::detail::exception&) override {
    return false;
  }

 private:
  /// Builds no text: a client may write one long key around many numbers.
  bool is_at_path() const {
    std::string_view rest = path_;
    for (std::size_t i = 0; i < keys_.size(); ++i) {
      if (i > 0) {
        if (rest.empty() || rest.front() != '.') return false;
        rest.remove_prefix(1);
      }
      if (rest.compare(0, keys_[i].size(), keys_[i]) != 0) return false;
      rest.remove_prefix(keys_[i].size());
    }
    return rest.empty();
  }

  const std::string& path_;
  std::vector<std::string> keys_;
};

}  // namespace

Json parse_json(const std::string& text) {
  if (text.compare(0, 3, "\xEF\xBB\xBF") == 0) {
    throw Error(ErrorCode::InvalidJson,
                "the body must be one JSON text without a byte order mark, got one at byte 1");
  }
  if (const std::size_t zero = text.find('\0'); zero != std::string::npos) {
    // The library takes it for the end, and what is behind it for nothing.
    throw Error(ErrorCode::InvalidJson,
                "the body must be one JSON text: a zero byte at byte " + std::to_string(zero + 1));
  }
  DocumentBuilder builder(text);
  Json::sax_parse(text, &builder, nlohmann::detail::input_format_t::json, /*strict=*/true,
                  /*ignore_comments=*/false);
  return builder.take();
}

std::string written_number(std::string_view text, const std::string& path) {
  NumberFinder finder(path);
  Json::sax_parse(text.begin(), text.end(), &finder);
  return finder.found;
}

}  // namespace ssd1b
