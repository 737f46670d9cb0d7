#include "inference/text_encoder/text_encoder.h"

#include <ATen/ATen.h>

#include <algorithm>

#include "ssd1b/error.h"

namespace ssd1b {
namespace {

constexpr std::int64_t kLegacyEosTokenId = 2;

/// The place of each text's pooled token: [B].
at::Tensor pooled_positions(const at::Tensor& ids, std::int64_t eos_token_id) {
  if (eos_token_id == kLegacyEosTokenId) return ids.argmax(-1);
  return ids.eq(eos_token_id).to(at::kInt).argmax(-1);  // the first one; 0 where there is none
}

}  // namespace

TextEncoderLayer::TextEncoderLayer(const TextEncoderConfig& config)
    : layer_norm1(config.width, config.norm_eps),
      layer_norm2(config.width, config.norm_eps),
      qkv_proj(config.width, config.width, Bias::Yes),
      out_proj(config.width, config.width),
      fc1(config.width, config.feed_forward_width),
      fc2(config.feed_forward_width, config.width),
      heads(config.heads),
      activation(config.activation) {}

at::Tensor TextEncoderLayer::operator()(const at::Tensor& hidden) const {
  const auto [query, key, value] = qkv_proj(layer_norm1(hidden));
  const at::Tensor out = out_proj(attend(query, key, value, heads, Mask::Causal)).add_(hidden);
  return fc2(activate(fc1(layer_norm2(out)), activation)).add_(out);
}

TextEncoder::TextEncoder(const TextEncoderConfig& config_of)
    : config(config_of),
      token_embedding({config.vocabulary, config.width}),
      position_embedding({config.positions, config.width}),
      final_layer_norm(config.width, config.norm_eps) {
  layers.reserve(config.layers);
  for (std::int64_t i = 0; i < config.layers; ++i) layers.emplace_back(config);
  if (config.projection_width > 0) {
    text_projection.emplace(config.width, config.projection_width, Bias::No);
  }
}

EncodedText TextEncoder::operator()(const at::Tensor& ids,
                                    const std::vector<std::int64_t>& clip_skips,
                                    const Tick& tick) const {
  std::vector<std::int64_t> layers_of;  // how many make each text's hidden states
  for (const std::int64_t clip_skip : clip_skips) {
    if (clip_skip < 0 || clip_skip > config.max_clip_skip()) {
      throw Error(ErrorCode::InvalidValue,
                  "clip_skip must be from 0 to " + std::to_string(config.max_clip_skip()) +
                      ", got " + std::to_string(clip_skip),
                  "clip_skip");
    }
    layers_of.push_back(config.layers - 1 - clip_skip);
  }
  const std::int64_t needed_layers =
      text_projection ? config.layers : *std::max_element(layers_of.begin(), layers_of.end());

  at::Tensor hidden = at::embedding(token_embedding.value, ids) +
                      position_embedding.value.narrow(0, 0, ids.size(1));  // [B, L, D]
  std::vector<at::Tensor> hidden_of(layers_of.size());                     // each [1, L, D]
  for (std::int64_t done = 0;; ++done) {
    for (std::size_t text = 0; text < layers_of.size(); ++text) {
      if (layers_of[text] == done) hidden_of[text] = hidden.narrow(0, text, 1);
    }
    if (done == needed_layers) break;
    hidden = layers[done](hidden);
    tick_once(tick);
  }
  EncodedText encoded{at::cat(hidden_of), {}};
  if (!text_projection) return encoded;
  const at::Tensor last = final_layer_norm(hidden);
  const at::Tensor rows = at::arange(ids.size(0), ids.options());
  encoded.pooled =
      (*text_projection)(last.index({rows, pooled_positions(ids, config.eos_token_id)}));  // [B, P]
  return encoded;
}

void visit_parameters(TextEncoderLayer& layer, const Scope& scope) {
  visit_parameters(layer.layer_norm1, scope / "layer_norm1");
  visit_parameters(layer.layer_norm2, scope / "layer_norm2");
  visit_parameters(layer.fc1, scope / "mlp" / "fc1");
  visit_parameters(layer.fc2, scope / "mlp" / "fc2");
  visit_parameters(layer.qkv_proj, scope / "self_attn", {"q_proj", "k_proj", "v_proj"});
  visit_parameters(layer.out_proj, scope / "self_attn" / "out_proj");
}

void visit_parameters(TextEncoder& encoder, const Scope& scope) {
  const Scope model = scope / "text_model";
  (model / "embeddings" / "token_embedding").parameter("weight", encoder.token_embedding);
  (model / "embeddings" / "position_embedding").parameter("weight", encoder.position_embedding);
  visit_parameters(encoder.layers, model / "encoder" / "layers");
  visit_parameters(encoder.final_layer_norm, model / "final_layer_norm");
  if (encoder.text_projection) {
    visit_parameters(*encoder.text_projection, scope / "text_projection");
  }
}

}  // namespace ssd1b
