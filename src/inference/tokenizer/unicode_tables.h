#pragma once

namespace ssd1b {

/// What a code point is to the tokenizer's word pattern (\s, \p{L}, \p{N}, anything else).
enum class CharacterClass { Space, Letter, Number, Other };

/// The class of a code point as Oniguruma with Unicode 16 has it: the regular expressions of the
/// reference tokenizer, whichever Unicode version utf8proc brings.
CharacterClass class_of(char32_t code_point);

/// Whether the regular expressions of Rust's crate regex take a code point for part of a word (\w,
/// Unicode 16): how the reference tells where a token stands alone.
bool is_word_character(char32_t code_point);

/// The lower case as Rust's char::to_lowercase has it (Unicode 17). U+0130, the only code point
/// that becomes two there, comes back unchanged.
char32_t lower_case_of(char32_t code_point);

/// Whether the reference's canonical composition (NFC) knows nothing of this code point: marks and
/// compositions younger than its tables. It neither moves nor joins with its neighbours.
bool stands_apart(char32_t code_point);

}  // namespace ssd1b
