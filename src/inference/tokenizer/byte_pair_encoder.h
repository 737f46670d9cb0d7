#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace ssd1b {

using Vocabulary = std::unordered_map<std::string, std::int64_t>;
using Merges = std::vector<std::pair<std::string, std::string>>;  // first is merged first

/// The sign that stands for a byte in vocabularies of GPT-2's kind, as UTF-8; index: the byte.
const std::array<std::string, 256>& byte_signs();

/// The order in which CLIP's vocabulary lists the bytes.
const std::array<std::uint8_t, 256>& byte_order();

/// Behind the last sign of a word.
inline constexpr const char* kEndOfWord = "</w>";

/// Byte-pair encoding of words. Immutable, so thread-safe.
class BytePairEncoder {
 public:
  /// Throws Error(BadModel) for a merge whose parts or whole the vocabulary lacks, and where it
  /// lacks a byte and `unknown` too. `file` is named in messages.
  BytePairEncoder(const Vocabulary& vocabulary, const Merges& merges, const std::string& unknown,
                  const std::string& file);

  /// The ids of one word (its UTF-8 bytes). Time n log n in its length.
  std::vector<std::int64_t> encode(std::string_view word) const;

 private:
  struct Merge {
    std::int32_t rank;
    std::int64_t id;
  };
  const Merge* find(std::int64_t left, std::int64_t right) const;

  std::array<std::int64_t, 256> byte_ids_{};
  std::array<std::int64_t, 256> last_byte_ids_{};
  std::unordered_map<std::uint64_t, Merge> merges_;  // left id << 32 | right id
};

}  // namespace ssd1b
