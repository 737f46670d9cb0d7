#include "inference/text_encoder/text_encoder_config.h"

namespace ssd1b {
namespace {

// Far above any model, far below what would overflow or take long to build.
constexpr std::int64_t kMaxWidth = std::int64_t{1} << 17;
constexpr std::int64_t kMaxLayers = 1024;
constexpr std::int64_t kMaxTokens = std::int64_t{1} << 24;

Activation activation_of(const ConfigDocument& document) {
  const std::string name = document.optional_text("hidden_act").value_or("quick_gelu");
  if (const auto activation = activation_named(name)) return *activation;
  document.fail("hidden_act", "one of " + activation_names());
}

}  // namespace

TextEncoderConfig TextEncoderConfig::from(const ConfigDocument& document,
                                          const std::string& class_name) {
  // A whole CLIP's config has its text model's inside.
  if (document.has("text_config")) return from(document.object("text_config"), class_name);
  const std::string model_type = document.optional_text("model_type").value_or("clip_text_model");
  document.require(model_type == "clip_text_model" || model_type == "clip", "model_type",
                   "clip_text_model or clip (this program knows no other)");
  TextEncoderConfig config;
  config.vocabulary = document.integer_or("vocab_size", 49408, {1, kMaxTokens});
  config.width = document.integer_or("hidden_size", 512, {1, kMaxWidth});
  config.feed_forward_width = document.integer_or("intermediate_size", 2048, {1, kMaxWidth});
  config.layers = document.integer_or("num_hidden_layers", 12, {1, kMaxLayers});
  config.heads = document.integer_or("num_attention_heads", 8, {1, config.width});
  document.require(config.width % config.heads == 0, "num_attention_heads",
                   "a divisor of hidden_size");
  config.positions = document.integer_or("max_position_embeddings", 77, {1, kMaxWidth});
  config.activation = activation_of(document);
  config.norm_eps = document.optional_number("layer_norm_eps").value_or(1e-5);
  document.require(config.norm_eps > 0.0, "layer_norm_eps", "a number above 0");
  config.eos_token_id = document.integer_or("eos_token_id", 49407, {0, kMaxTokens});
  if (class_name == "CLIPTextModelWithProjection") {
    config.projection_width = document.integer_or("projection_dim", 512, {1, kMaxWidth});
  }
  return config;
}

}  // namespace ssd1b
