#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace ssd1b {

/// Reads one flat JSON object: values are scalars or lists of scalars. Every field must be there,
/// of its type, once, and none may be left over; anything else is Error(MalformedRequest).
class FlatObjectReader {
 public:
  explicit FlatObjectReader(const std::string& json);

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
  void expect_end() const;

 private:
  nlohmann::json take(const char* name);

  std::vector<std::pair<std::string, nlohmann::json>> fields_;  // that were not taken yet
};

}  // namespace ssd1b
