#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ssd1b {

/// Reads what a FlatObjectWriter wrote: the same fields in the same order, with no space between
/// them. Whatever is missing, too much, of another type or out of range is Error(MalformedRequest).
/// Both processes are of one build, so there is no other order to understand, and a message costs
/// no tree: every step of a picture is one.
class FlatObjectReader {
 public:
  /// `json` must outlive the reader.
  explicit FlatObjectReader(std::string_view json) : rest_(json) {}

  std::string text(const char* name);
  std::optional<std::string> optional_text(const char* name);  // null: none
  int small_integer(const char* name, int low = 0, int high = 1 << 24);
  std::uint64_t unsigned_integer(const char* name);
  double number(const char* name);
  double duration_ms(const char* name);  // of a week at most
  bool boolean(const char* name);
  std::vector<std::string> texts(const char* name);
  std::vector<int> small_integers(const char* name, int low, int high);

  /// Call it last: no field may be left.
  void expect_end();

 private:
  void begin_field(const char* name);
  bool take_if(std::string_view text);
  std::string_view take_word();
  std::string take_text(const char* name);
  template <typename Number>
  Number take_number(const char* name, const char* must);
  int take_small_integer(const char* name, int low, int high);
  template <typename Take>
  auto take_list(const char* name, Take take);

  std::string_view rest_;
  bool is_first_ = true;
};

}  // namespace ssd1b
