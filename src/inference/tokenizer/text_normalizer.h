#pragma once

#include <string>
#include <string_view>

namespace ssd1b {

/// The code points of a UTF-8 text. Throws Error(InvalidValue) that names the first byte at fault;
/// surrogates, overlong forms and values above U+10FFFF are faults.
std::u32string decode_utf8(std::string_view text);

/// The UTF-8 form of code points that decode_utf8 may return.
std::string encode_utf8(std::u32string_view text);

/// What the reference tokenizer does to a text before it splits it: canonical composition (NFC),
/// every run of white space one space, lower case. Linear time but for the sorting of marks.
std::u32string normalize_text(std::u32string_view text);

}  // namespace ssd1b
