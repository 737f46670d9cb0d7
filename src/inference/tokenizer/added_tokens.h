#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "inference/tokenizer/byte_pair_encoder.h"

namespace ssd1b {

/// A token that is found in the text as it stands, before words are split, as a model's files
/// describe it.
struct AddedToken {
  std::string content;
  bool takes_space_left = false;   // lstrip
  bool takes_space_right = false;  // rstrip
  bool is_single_word = false;     // not found next to a letter, digit, mark or underscore
  bool is_normalized = true;       // looked for after normalize_text, in its own normal form
  bool is_special = false;
};

/// A stretch of a text: a token of its own, or text to split into words.
struct TextPiece {
  std::u32string_view text;
  std::optional<std::int64_t> id;
};

enum class TextForm { Raw, Normalized };

/// Finds added tokens in a text, the leftmost first, of those the longest. Immutable, so
/// thread-safe.
class AddedTokens {
 public:
  /// Tokens that the vocabulary lacks get the ids after it, in their order; a content that comes
  /// again replaces the earlier one. `split_special`: special tokens are text like any other.
  /// `file` is named in messages. Throws Error(BadModel).
  AddedTokens(const std::vector<AddedToken>& tokens, const Vocabulary& vocabulary,
              bool split_special, const std::string& file);

  /// The pieces of `text` in order, none empty. Raw finds the tokens that are not normalized.
  std::vector<TextPiece> split(std::u32string_view text, TextForm form) const;

  /// The id of a content that is one of these tokens.
  std::optional<std::int64_t> id_of(const std::string& content) const;

 private:
  struct Pattern {
    std::u32string text;
    std::int64_t id;
    AddedToken token;
  };
  using Patterns = std::unordered_map<char32_t, std::vector<Pattern>>;  // by first, longest first

  static const Pattern* find_at(const Patterns& patterns, std::u32string_view text);

  bool split_special_;
  std::unordered_map<std::string, std::int64_t> ids_;
  Patterns raw_;
  Patterns normalized_;
};

}  // namespace ssd1b
