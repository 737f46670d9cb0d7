// Any bytes as a prompt, for CLIP's whole vocabulary: exactly as many ids as the encoder takes,
// each of them known, or Error(InvalidValue) for what is not UTF-8. libFuzzer's -timeout looks at
// the time.
#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <string>

#include "inference/tokenizer/clip_tokenizer.h"
#include "inference/tokenizer/unknown_words.h"
#include "require.h"
#include "ssd1b/error.h"

namespace {

const ssd1b::ClipTokenizer& tokenizer() {
  static const ssd1b::ClipTokenizer loaded =
      ssd1b::ClipTokenizer::load_clip(std::filesystem::path(SSD1B_SOURCE_DIR) /
                                          "models/clip-tokenizer/bpe_simple_vocab_16e6.txt.gz",
                                      ssd1b::ClipPadding::EndOfText);
  return loaded;
}

void check(const ssd1b::Tokens& tokens, std::size_t text_bytes) {
  const auto& ids = tokens.ids;
  require(ids.size() == static_cast<std::size_t>(tokenizer().max_length()), "as many as it takes");
  require(ids.front() == tokenizer().begin_id(), "begin comes first");
  require(std::find(ids.begin(), ids.end(), tokenizer().end_id()) != ids.end(), "there is an end");
  for (const std::int64_t id : ids) require(id >= 0 && id < tokenizer().id_limit(), "known ids");
  require(tokens.needed >= 2, "begin and end are needed");
  // One a byte at most; normalizing makes no text longer than three times.
  require(static_cast<std::size_t>(tokens.needed) <= 2 + 3 * text_bytes, "at most one a byte");
}

}  // namespace

/// Reads the vocabulary before libFuzzer looks at the time.
extern "C" int LLVMFuzzerInitialize(int*, char***) {
  tokenizer();
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  try {
    const ssd1b::Tokens tokens = tokenizer().encode(text);
    check(tokens, size);
    require(tokenizer().encode(text).ids == tokens.ids, "the same every time");
    require(ssd1b::unknown_words(text, {"red", "apple"}).size() <= size, "words are of the text");
  } catch (const ssd1b::Error& error) {
    require(error.code() == ssd1b::ErrorCode::InvalidValue, "bad text is the client's fault");
  }
  return 0;
}
