#pragma once

#include <filesystem>

#include "inference/tokenizer/clip_tokenizer.h"
#include "inference/tokenizer/tokenizer_spec.h"

namespace ssd1b {

/// CLIP's own tokenizer from its merge list (`bpe_simple_vocab_16e6.txt.gz`, as OpenAI and OpenCLIP
/// publish it): 256 bytes, the same at the end of a word, 48,894 merges, two specials; 77 ids a
/// text. For checkpoints without tokenizer files. Throws Error(BadModel) that names the file.
TokenizerSpec read_clip_vocabulary(const std::filesystem::path& gz, ClipPadding padding);

}  // namespace ssd1b
