#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace ssd1b {

/// An integer, or a list of such: `[[1], [2, 2], 4]`.
struct NestedIntegers {
  std::optional<std::int64_t> value;  // absent: a list
  std::vector<NestedIntegers> items;

  bool is_list() const { return !value.has_value(); }
};

/// Both ends included.
struct IntegerRange {
  std::int64_t least, most;
};

/// A JSON object of a model folder, read once and never changed; Infinity, -Infinity and NaN are
/// values of it as Python's json writes them. A key that is null counts as absent, a boolean one as
/// false; keys that nobody asks for are ignored. Every getter throws Error(BadModel) that names
/// file and key, what must hold and what came.
class ConfigDocument {
 public:
  /// Reads a regular file of at most `max_bytes`. Throws Error(BadModel) where it cannot be read,
  /// is no JSON object, nests deeper than 32 or names a key twice.
  static ConfigDocument read(const std::filesystem::path& file,
                             std::size_t max_bytes = std::size_t{16} << 20);
  /// The same for a text; messages name `file`.
  static ConfigDocument parse(const std::string& text, const std::filesystem::path& file);

  const std::filesystem::path& file() const { return file_; }
  /// Present, be it null.
  bool has_key(const std::string& key) const;
  /// Present and not null.
  bool has(const std::string& key) const;
  bool has_text(const std::string& key) const;
  /// Every key, null ones included, in the order of the alphabet.
  std::vector<std::string> keys() const;

  // Required values.
  std::int64_t integer(const std::string& key) const;
  std::int64_t integer(const std::string& key, const IntegerRange& range) const;
  double number(const std::string& key) const;  // an integer is a number too
  std::string text(const std::string& key) const;
  bool boolean(const std::string& key) const;
  std::vector<std::int64_t> integers(const std::string& key) const;
  std::vector<double> numbers(const std::string& key) const;
  std::vector<std::string> texts(const std::string& key) const;
  /// A list of exactly `count` integers, or one integer that stands for all of them.
  std::vector<std::int64_t> integers_or_one(const std::string& key, std::size_t count) const;
  /// Integers and lists of them, nested at will (transformer_layers_per_block).
  NestedIntegers integers_or_nested(const std::string& key) const;
  /// An object inside this one.
  ConfigDocument object(const std::string& key) const;

  // Absent or null: nullopt. Of another type: Error.
  std::optional<std::int64_t> optional_integer(const std::string& key) const;
  /// Absent or null: `standard`, which must be in the range too.
  std::int64_t integer_or(const std::string& key, std::int64_t standard,
                          const IntegerRange& range) const;
  std::optional<double> optional_number(const std::string& key) const;
  /// The same, and Infinity or -Infinity too.
  std::optional<double> optional_number_or_infinity(const std::string& key) const;
  std::optional<std::string> optional_text(const std::string& key) const;
  /// null is false, as Python takes it.
  std::optional<bool> optional_boolean(const std::string& key) const;
  /// Absent, null, false or a list of nothing else.
  bool is_all_false(const std::string& key) const;
  std::optional<std::vector<std::int64_t>> optional_integers(const std::string& key) const;
  std::optional<std::vector<double>> optional_numbers(const std::string& key) const;
  std::optional<std::vector<std::string>> optional_texts(const std::string& key) const;
  std::optional<NestedIntegers> optional_integers_or_nested(const std::string& key) const;

  /// The document as one line of JSON.
  std::string to_json() const;

  /// Throws Error(BadModel): "FILE: KEY must be MUST, got <the value>". For checks of the readers.
  [[noreturn]] void fail(const std::string& key, const std::string& must) const;
  /// fail() unless `holds`.
  void require(bool holds, const std::string& key, const std::string& must) const;

  /// fail() unless the key is absent or this text, the only one that this program knows.
  void require_text(const std::string& key, const std::string& known) const;
  /// Throws Error(BadModel) about the key itself: "FILE: the key KEY must be MUST".
  [[noreturn]] void fail_key(const std::string& key, const std::string& must) const;

  /// A copy with some keys set, as texts of JSON: what a single file's shapes say about a config.
  ConfigDocument with(const std::vector<std::pair<std::string, std::string>>& changes) const;
  /// A copy without some keys, which it need not have.
  ConfigDocument without(const std::vector<std::string>& keys) const;

 private:
  struct Json;

  template <typename Value, typename Predicate>
  std::optional<Value> optional_value(const std::string& key, const char* must,
                                      Predicate holds) const;
  std::int64_t in_range(const std::string& key, std::int64_t value,
                        const IntegerRange& range) const;
  template <typename Value>
  Value required(const std::string& key, const char* must, std::optional<Value> value) const;

  std::filesystem::path file_;
  std::string prefix_;  // of the keys in messages, for an object inside another
  std::shared_ptr<const Json> json_;
};

}  // namespace ssd1b
