#include "inference/unet/refuse_unbuilt.h"

#include <string>

namespace ssd1b {
namespace {

void refuse_unless_null(const ConfigDocument& document, const std::string& key) {
  document.require(!document.has(key), key, "null (this program knows no other)");
}

void refuse_true(const ConfigDocument& document, const std::string& key) {
  document.require(document.is_all_false(key), key, "false (this program knows no other)");
}

}  // namespace

void refuse_what_is_not_built(const ConfigDocument& document) {
  document.require_text("_class_name", "UNet2DConditionModel");
  document.require_text("attention_type", "default");
  document.require_text("time_embedding_type", "positional");
  for (const char* key :
       {"class_embed_type", "encoder_hid_dim", "encoder_hid_dim_type", "num_class_embeds"}) {
    refuse_unless_null(document, key);
  }
  refuse_true(document, "class_embeddings_concat");
  refuse_true(document, "dual_cross_attention");
  refuse_true(document, "only_cross_attention");
  // diffusers itself refuses it: attention_head_dim counts the heads, whatever its name says.
  document.require(!document.has("num_attention_heads"), "num_attention_heads",
                   "null (attention_head_dim counts the heads)");
  document.require(document.optional_text("addition_embed_type") == "text_time",
                   "addition_embed_type", "text_time, as in SDXL and its relatives");
}

}  // namespace ssd1b
