#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "inference/weights/config_document.h"
#include "inference/weights/single_file/ldm_keys.h"

namespace ssd1b {

/// What the ldm layout and what diffusers call the parts of a UNet's resnet.
constexpr std::array<std::pair<const char*, const char*>, 6> kLdmResnetParts = {{
    {"in_layers.0", "norm1"},
    {"in_layers.2", "conv1"},
    {"emb_layers.1", "time_emb_proj"},
    {"out_layers.0", "norm2"},
    {"out_layers.3", "conv2"},
    {"skip_connection", "conv_shortcut"},
}};

/// The same of a UNet's modules outside its blocks.
constexpr std::array<std::pair<const char*, const char*>, 8> kLdmOuterModules = {{
    {"input_blocks.0.0", "conv_in"},
    {"time_embed.0", "time_embedding.linear_1"},
    {"time_embed.2", "time_embedding.linear_2"},
    {"time_embed.cond_proj", "time_embedding.cond_proj"},
    {"label_emb.0.0", "add_embedding.linear_1"},
    {"label_emb.0.2", "add_embedding.linear_2"},
    {"out.0", "conv_norm_out"},
    {"out.2", "conv_out"},
}};

/// One level of a UNet as its keys show it.
struct LdmLevel {
  std::int64_t channels = 0;
  std::vector<std::int64_t> depths;  // transformer blocks behind each resnet; 0: no transformer
  bool has_transformers() const;
};

/// A UNet's shape as its keys show it.
struct LdmLayout {
  std::vector<LdmLevel> down, up;         // in the order of execution
  std::optional<std::int64_t> mid_depth;  // absent: one resnet and no transformer
  ModuleNames modules;
};

/// Reads the shape off the keys below `model.diffusion_model.`. Throws Error(BadModel) where they
/// are no UNet of this kind.
LdmLayout read_ldm_layout(const LdmKeys& keys);

/// The UNet's tensors and what shapes say about its config. `family`: what they do not say;
/// `pooled_width`: of the second text encoder's projection.
LdmComponent read_ldm_unet(const LdmKeys& keys, const LdmLayout& layout,
                           const ConfigDocument& family, std::int64_t pooled_width);

}  // namespace ssd1b
