#pragma once

#include <filesystem>

#include "inference/tokenizer/tokenizer_spec.h"

namespace ssd1b {

/// Reads a tokenizer folder as transformers 5 does: tokenizer_config.json with tokenizer.json, or
/// with vocab.json and merges.txt where there is none; special_tokens_map.json and
/// added_tokens.json where they are. Throws Error(BadModel) that names the file.
TokenizerSpec read_tokenizer_folder(const std::filesystem::path& folder);

}  // namespace ssd1b
