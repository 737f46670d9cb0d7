#include "inference/pipeline/prompt_encoder.h"

#include <ATen/ATen.h>
#include <c10/util/Exception.h>

#include <algorithm>
#include <iterator>
#include <optional>

#include "inference/pipeline/device_work.h"
#include "inference/tokenizer/unknown_words.h"
#include "inference/weights/time_ids.h"

namespace ssd1b {
namespace {

/// Whether both requests lead to the same encoding: all that PromptEncoder reads of a request.
bool ask_for_the_same(const GenerationRequest& a, const GenerationRequest& b,
                      const ModelInfo& model) {
  return a.prompt == b.prompt && a.negative_prompt == b.negative_prompt &&
         is_guided(a, model) == is_guided(b, model) &&
         (!model.guidance_embedded || a.guidance_scale == b.guidance_scale) &&
         a.clip_skip == b.clip_skip && a.original_width_px == b.original_width_px &&
         a.original_height_px == b.original_height_px && a.target_width_px == b.target_width_px &&
         a.target_height_px == b.target_height_px && a.crop_top_px == b.crop_top_px &&
         a.crop_left_px == b.crop_left_px;
}

/// SDXL's micro-conditioning, [1, 6], in the order of diffusers' _get_add_time_ids.
at::Tensor time_ids(const GenerationRequest& request, at::ScalarType dtype) {
  const std::array<double, kTimeIds> values = {static_cast<double>(request.original_height_px),
                                               static_cast<double>(request.original_width_px),
                                               static_cast<double>(request.crop_top_px),
                                               static_cast<double>(request.crop_left_px),
                                               static_cast<double>(request.target_height_px),
                                               static_cast<double>(request.target_width_px)};
  return at::tensor(at::ArrayRef<double>(values), at::dtype(at::kFloat)).to(dtype).unsqueeze(0);
}

Warning truncation(const char* which, int needed, int limit) {
  return {"prompt_truncated", std::string(which) + " needs " + std::to_string(needed) +
                                  " tokens, the model reads the first " + std::to_string(limit)};
}

Tokens tokens_of(const ClipTokenizer& tokenizer, const std::string& text) {
  return tokenizer.encode(tokenizer.with_all_vectors(text));
}

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : ", ") + word;
  return text;
}

/// A text encoder that does not stay on the device is there from begin() until this ends, also
/// where begin() throws because only a part of it fits.
class VisitOfEncoder {
 public:
  VisitOfEncoder(std::optional<ParameterHome>& home, const c10::Device& device)
      : home_(home), device_(device) {}
  ~VisitOfEncoder() {
    if (!home_) return;
    home_->come_home();
    try {
      give_back_free_memory(device_);
    } catch (const c10::Error&) {
      // The device is at fault, and whoever uses it next will say so.
    }
  }
  void begin() {
    if (!home_) return;
    give_back_free_memory(device_);
    home_->go_to_device();
  }
  VisitOfEncoder(const VisitOfEncoder&) = delete;
  VisitOfEncoder& operator=(const VisitOfEncoder&) = delete;

 private:
  std::optional<ParameterHome>& home_;
  c10::Device device_;
};

/// One encoder at a time visits the device. `ids`: one tensor [L] a text.
EncodedText encode_by(const TextEncoder& encoder, std::optional<ParameterHome>& home,
                      const std::vector<at::Tensor>& ids,
                      const std::vector<std::int64_t>& clip_skips, const Model& model) {
  VisitOfEncoder visit(home, model.device);
  visit.begin();
  return encoder(upload(at::stack(ids), model.device), clip_skips, model.tick);
}

}  // namespace

std::shared_ptr<const PromptEncoding> PromptEncoder::encode(const GenerationRequest& request) {
  const auto found = std::find_if(known_.begin(), known_.end(), [&](const Known& known) {
    return ask_for_the_same(known.request, request, model_.info);
  });
  if (found != known_.end()) {
    std::rotate(known_.begin(), found, found + 1);
    return known_.front().encoding;
  }
  make_place();
  known_.push_front({request, make(request)});
  return known_.front().encoding;
}

void PromptEncoder::make_place() {
  const auto is_unused = [](const Known& known) { return known.encoding.use_count() == 1; };
  while (known_.size() >= static_cast<std::size_t>(model_.info.max_pictures)) {
    const auto oldest = std::find_if(known_.rbegin(), known_.rend(), is_unused);
    if (oldest == known_.rend()) return;
    known_.erase(std::next(oldest).base());
  }
}

PromptEncoder::EncodedTexts PromptEncoder::encode_texts(const std::vector<Text>& texts) const {
  EncodedTexts encoded;
  std::vector<at::Tensor> ids, ids_2;  // each [L]
  std::vector<std::int64_t> clip_skips;
  for (const Text& each : texts) {
    const Tokens tokens = tokens_of(model_.tokenizer, each.text);
    const Tokens tokens_2 = tokens_of(model_.tokenizer_2, each.text);
    ids.push_back(at::tensor(tokens.ids, at::kLong));
    ids_2.push_back(at::tensor(tokens_2.ids, at::kLong));
    clip_skips.push_back(each.clip_skip);
    encoded.tokens_needed.push_back(std::max(tokens.needed, tokens_2.needed));
  }
  const EncodedText narrow =
      encode_by(model_.text_encoder, model_.text_encoder_home, ids, clip_skips, model_);
  const EncodedText wide =
      encode_by(model_.text_encoder_2, model_.text_encoder_2_home, ids_2, clip_skips, model_);
  encoded.hidden = at::cat({narrow.hidden, wide.hidden}, /*dim=*/-1);
  encoded.pooled = wide.pooled;
  return encoded;
}

std::vector<Warning> PromptEncoder::warnings_about(const GenerationRequest& request,
                                                   const std::vector<int>& tokens_needed) const {
  std::vector<Warning> warnings;
  const int limit = model_.info.prompt_token_limit;
  if (tokens_needed.back() > limit) {
    warnings.push_back(truncation("the prompt", tokens_needed.back(), limit));
  }
  if (tokens_needed.size() == 2 && tokens_needed.front() > limit) {
    warnings.push_back(truncation("the negative prompt", tokens_needed.front(), limit));
  }
  if (!is_guided(request, model_.info) && request.negative_prompt != model_.info.negative_prompt &&
      !request.negative_prompt.value_or("").empty()) {
    warnings.push_back(
        {"negative_prompt_unused", "a negative prompt has no effect without guidance"});
  }
  const std::vector<std::string> unknown = unknown_words(request.prompt, model_.known_words);
  if (!unknown.empty()) {
    warnings.push_back({"unknown_words", "the model was not trained on: " + joined(unknown)});
  }
  return warnings;
}

std::shared_ptr<const PromptEncoding> PromptEncoder::make(const GenerationRequest& request) const {
  const bool guided = is_guided(request, model_.info);
  const bool has_zeros = guided && !request.negative_prompt && model_.force_zeros_for_empty_prompt;
  std::vector<Text> texts{{request.prompt, request.clip_skip}};
  // The first row. diffusers applies clip_skip to the prompt only.
  if (guided && !has_zeros) texts.insert(texts.begin(), {request.negative_prompt.value_or(""), 0});
  const EncodedTexts encoded = encode_texts(texts);
  const at::ScalarType dtype = model_.precision.networks;
  const at::Tensor time_ids_row = upload(time_ids(request, dtype), model_.device);
  UNetPrompt rows{encoded.hidden, encoded.pooled, time_ids_row, {}};
  // The UNet leaves embeddings of zeros out.
  if (has_zeros) rows.pooled = at::cat({at::zeros_like(rows.pooled), rows.pooled});  // [2, P]
  if (guided) rows.time_ids = at::cat({time_ids_row, time_ids_row});                 // [2, 6]
  if (model_.info.guidance_embedded) {
    const std::int64_t width = model_.unet_config.guidance_width;
    rows.guidance =
        upload(guidance_sinusoids(request.guidance_scale, width).to(dtype), model_.device);
  }
  auto encoding = std::make_shared<PromptEncoding>();
  encoding->tokens_needed = encoded.tokens_needed.back();
  encoding->warnings = warnings_about(request, encoded.tokens_needed);
  encoding->conditioning = model_.unet.prepare(rows);
  return encoding;
}

}  // namespace ssd1b
