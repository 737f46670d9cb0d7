#include "inference/unet/refuse_unbuilt.h"

#include <string>

namespace ssd1b {
namespace {

void refuse_unless_text(const ConfigDocument& document, const std::string& key,
                        const std::string& known) {
  document.require(document.optional_text(key).value_or(known) == known, key,
                   known + " (this program knows no other)");
}

void refuse_unless_null(const ConfigDocument& document, const std::string& key) {
  document.require(!document.has(key), key, "null (this program knows no other)");
}

void refuse_true(const ConfigDocument& document, const std::string& key) {
  document.require(document.is_all_false(key), key, "false (this program knows no other)");
}

}  // namespace

void refuse_what_is_not_built(const ConfigDocument& document) {
  refuse_unless_text(document, "_class_name", "UNet2DConditionModel");
  refuse_unless_text(document, "attention_type", "default");
  refuse_unless_text(document, "time_embedding_type", "positional");
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
