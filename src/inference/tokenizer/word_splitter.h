#pragma once

#include <string_view>
#include <vector>

namespace ssd1b {

/// The words that byte-pair encoding works on, of a text that normalize_text has made: runs of
/// letters, single numbers, runs of other signs, English contractions; white space falls away. The
/// views point into `text`.
std::vector<std::u32string_view> split_words(std::u32string_view text);

}  // namespace ssd1b
