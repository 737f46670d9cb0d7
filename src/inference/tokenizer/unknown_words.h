#pragma once

#include <string>
#include <vector>

namespace ssd1b {

/// The words of a prompt that a model was not trained on: lower-cased, without punctuation around
/// them, each once, in the order of the prompt. A hyphenated word is known where the list has it as
/// it stands or has all its parts; `'s` at the end of a known word does not count. An empty list
/// knows everything. Throws Error(InvalidValue) for a prompt that is not UTF-8.
std::vector<std::string> unknown_words(const std::string& prompt,
                                       const std::vector<std::string>& known_words);

}  // namespace ssd1b
