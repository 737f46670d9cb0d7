#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "inference/pipeline/model.h"

namespace ssd1b {

/// A prompt and its negative prompt as the UNet reads them, and what is to be said about them.
struct PromptEncoding {
  UNetConditioning conditioning;  // one row, or two (negative prompt first) with guidance
  int tokens_needed = 0;          // of the longer tokenizer, both specials included
  std::vector<Warning> warnings;
};

/// Turns prompts into embeddings, as StableDiffusionXLPipeline.encode_prompt does. Pictures that
/// ask for the same share one encoding. Used by the device thread only.
class PromptEncoder {
 public:
  explicit PromptEncoder(Model& model) : model_(model) {}

  std::shared_ptr<const PromptEncoding> encode(const GenerationRequest& request);

 private:
  struct Text {
    std::string text;
    std::int64_t clip_skip = 0;
  };
  struct EncodedTexts {
    at::Tensor hidden;               // [texts, L, D], D of both encoders together
    at::Tensor pooled;               // [texts, P]
    std::vector<int> tokens_needed;  // one a text
  };
  struct Known {
    GenerationRequest request;
    std::shared_ptr<const PromptEncoding> encoding;
  };

  EncodedTexts encode_texts(const std::vector<Text>& texts) const;
  /// Drops what no picture uses any more, the oldest first, until one more has a place: so there
  /// are never more encodings than ModelInfo::max_pictures.
  void make_place();
  /// `tokens_needed`: of each encoded text, the prompt last.
  std::vector<Warning> warnings_about(const GenerationRequest& request,
                                      const std::vector<int>& tokens_needed) const;
  std::shared_ptr<const PromptEncoding> make(const GenerationRequest& request) const;

  Model& model_;
  std::deque<Known> known_;  // the latest used first
};

}  // namespace ssd1b
