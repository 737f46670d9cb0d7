#pragma once

#include <string>
#include <vector>

#include "inference/tokenizer/added_tokens.h"
#include "inference/tokenizer/byte_pair_encoder.h"

namespace ssd1b {

/// The tokens that have a task.
struct SpecialTokens {
  std::string begin;              // bos_token
  std::string end;                // eos_token
  std::string unknown;            // unk_token
  std::string pad;                // pad_token
  std::vector<AddedToken> added;  // found in the text as they stand, in the order of addition
};

enum class Side { Left, Right };

/// All that makes a tokenizer, wherever it was read from.
struct TokenizerSpec {
  Vocabulary vocabulary;
  Merges merges;
  SpecialTokens special;
  int model_max_length = 0;  // ids of one encoded text
  Side padding_side = Side::Right;
  Side truncation_side = Side::Right;  // the side that is cut
  bool split_special = false;          // special tokens written in a text are text
  std::string vocabulary_file;         // for messages
  std::string config_file;
};

}  // namespace ssd1b
