#pragma once

#include <string>
#include <utility>
#include <vector>

#include "inference/weights/config_document.h"

namespace ssd1b {

/// unet/config.json of segmind/SSD-1B with some keys set to other JSON values.
inline ConfigDocument ssd1b_unet_document(
    const std::vector<std::pair<std::string, std::string>>& changes = {}) {
  static const char* const kText = R"({
    "_class_name": "UNet2DConditionModel", "act_fn": "silu", "addition_embed_type": "text_time",
    "addition_embed_type_num_heads": 64, "addition_time_embed_dim": 256,
    "attention_head_dim": [5, 10, 20], "block_out_channels": [320, 640, 1280],
    "center_input_sample": false, "class_embed_type": null, "conv_in_kernel": 3,
    "conv_out_kernel": 3, "cross_attention_dim": 2048,
    "down_block_types": ["DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"],
    "downsample_padding": 1, "encoder_hid_dim": null, "flip_sin_to_cos": true, "freq_shift": 0,
    "in_channels": 4, "layers_per_block": 2, "mid_block_scale_factor": 1,
    "mid_block_type": "UNetMidBlock2D", "norm_eps": 1e-05, "norm_num_groups": 32,
    "num_attention_heads": null, "out_channels": 4, "projection_class_embeddings_input_dim": 2816,
    "resnet_time_scale_shift": "default",
    "reverse_transformer_layers_per_block": [[4, 4, 10], [2, 1, 1], 1], "sample_size": 128,
    "time_cond_proj_dim": null, "time_embedding_type": "positional",
    "transformer_layers_per_block": [[1], [2, 2], [4, 4]],
    "up_block_types": ["CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"],
    "upcast_attention": null, "use_linear_projection": true})";
  return ConfigDocument::parse(kText, "unet/config.json").with(changes);
}

}  // namespace ssd1b
