#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "inference/tokenizer/tokenizer_spec.h"

namespace ssd1b {

/// A JSON file that was read.
struct JsonFile {
  std::string path;  // for messages
  nlohmann::json value;
};

/// The files of a tokenizer folder that speak of special and added tokens.
struct TokenFiles {
  JsonFile config;  // tokenizer_config.json
  std::optional<JsonFile> special_tokens_map;
  std::optional<JsonFile> added_tokens;
  std::optional<JsonFile> tokenizer;  // tokenizer.json
};

/// Special and added tokens by the rules of transformers 5 (`PreTrainedTokenizerBase` and
/// `TokenizersBackend`): the config's `added_tokens_decoder` rules alone; without it
/// special_tokens_map.json goes before the config, and added_tokens.json and tokenizer.json tell
/// how a token is found. Throws Error(BadModel) that names file and key.
SpecialTokens read_special_tokens(const TokenFiles& files);

}  // namespace ssd1b
