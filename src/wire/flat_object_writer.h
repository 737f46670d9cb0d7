#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace ssd1b {

/// Writes what FlatObjectReader reads, field by field: a tree of the library's would cost several
/// times as much, and every step of a picture is a message.
class FlatObjectWriter {
 public:
  /// What becomes of a text that is not UTF-8: Error(InternalError), or other bytes. The latter is
  /// for messages of faults, which come from anywhere.
  enum class BadText { Refuse, Replace };
  explicit FlatObjectWriter(BadText bad_text = BadText::Refuse) : bad_text_(bad_text) {}

  FlatObjectWriter& text(const char* name, const std::string& value);
  FlatObjectWriter& optional_text(const char* name, const std::optional<std::string>& value);
  FlatObjectWriter& integer(const char* name, std::int64_t value);
  FlatObjectWriter& unsigned_integer(const char* name, std::uint64_t value);
  FlatObjectWriter& number(const char* name, double value);  // finite
  FlatObjectWriter& boolean(const char* name, bool value);
  FlatObjectWriter& texts(const char* name, const std::vector<std::string>& values);
  FlatObjectWriter& integers(const char* name, const std::vector<int>& values);

  /// The object. Call it last.
  std::string take();

 private:
  void begin_field(const char* name);
  void add_text(const std::string& value);
  template <typename Number>
  void add_number(Number value);

  BadText bad_text_;
  std::string json_ = "{";
};

}  // namespace ssd1b
