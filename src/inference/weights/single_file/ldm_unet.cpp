#include "inference/weights/single_file/ldm_unet.h"

#include <algorithm>

#include "inference/weights/time_ids.h"
#include "ssd1b/error.h"

namespace ssd1b {
namespace {

[[noreturn]] void fail(const LdmKeys& keys, const std::string& what) {
  throw Error(ErrorCode::BadModel, keys.file().path().string() + ": the UNet " + what);
}

void add_resnet(ModuleNames& modules, const std::string& ldm, const std::string& name) {
  for (const auto& [theirs, ours] : kLdmResnetParts) {
    modules[ldm + "." + theirs] = name + "." + ours;
  }
}

/// Adds one layer, a resnet and perhaps a transformer behind it, to a level.
void add_layer(const LdmKeys& keys, const std::string& ldm, const std::string& block,
               LdmLevel& level, ModuleNames& modules) {
  const std::size_t index = level.depths.size();
  level.channels = keys.size(ldm + ".0.out_layers.3.weight", 0);
  add_resnet(modules, ldm + ".0", module_at(block + ".resnets", index));
  level.depths.push_back(keys.count(ldm + ".1.transformer_blocks"));
  if (level.depths.back() > 0) modules[ldm + ".1"] = module_at(block + ".attentions", index);
}

void read_down(const LdmKeys& keys, LdmLayout& layout) {
  layout.down.emplace_back();
  for (std::size_t n = 1; keys.has_module(module_at("input_blocks", n)); ++n) {
    const std::string ldm = module_at("input_blocks", n);
    const std::string block = module_at("down_blocks", layout.down.size() - 1);
    if (keys.has(ldm + ".0.op.weight")) {
      layout.modules[ldm + ".0.op"] = block + ".downsamplers.0.conv";
      layout.down.emplace_back();
    } else {
      add_layer(keys, ldm, block, layout.down.back(), layout.modules);
    }
  }
}

void read_middle(const LdmKeys& keys, LdmLayout& layout) {
  add_resnet(layout.modules, "middle_block.0", "mid_block.resnets.0");
  if (!keys.has_module("middle_block.1")) return;
  layout.mid_depth = keys.count("middle_block.1.transformer_blocks");
  layout.modules["middle_block.1"] = "mid_block.attentions.0";
  add_resnet(layout.modules, "middle_block.2", "mid_block.resnets.1");
}

void read_up(const LdmKeys& keys, LdmLayout& layout) {
  layout.up.emplace_back();
  for (std::size_t n = 0; keys.has_module(module_at("output_blocks", n)); ++n) {
    const std::string ldm = module_at("output_blocks", n);
    const std::string block = module_at("up_blocks", layout.up.size() - 1);
    add_layer(keys, ldm, block, layout.up.back(), layout.modules);
    // The upsampler stands behind what the level's last layer has: at 1, or at 2.
    for (const char* place : {".1.conv", ".2.conv"}) {
      if (!keys.has_module(ldm + place)) continue;
      layout.modules[ldm + place] = block + ".upsamplers.0.conv";
      layout.up.emplace_back();
    }
  }
}

void check_layout(const LdmKeys& keys, const LdmLayout& layout) {
  if (layout.down.front().depths.empty() || layout.down.size() != layout.up.size()) {
    fail(keys, "must have as many levels on the way up as down, got " +
                   std::to_string(layout.down.size()) + " and " + std::to_string(layout.up.size()));
  }
  for (std::size_t i = 0; i < layout.down.size(); ++i) {
    const LdmLevel& down = layout.down[i];
    const LdmLevel& up = layout.up[layout.up.size() - 1 - i];
    const bool is_mirrored =
        up.depths.size() == down.depths.size() + 1 && up.channels == down.channels;
    if (!is_mirrored) {
      fail(keys, "must have at level " + std::to_string(i) +
                     " one layer more on the way up and as many channels, got " +
                     std::to_string(up.depths.size()) + " of " + std::to_string(up.channels) +
                     " for " + std::to_string(down.depths.size()) + " of " +
                     std::to_string(down.channels));
    }
  }
  const std::vector<std::int64_t>& last = layout.down.back().depths;
  const bool mid_fits = !layout.mid_depth || std::all_of(last.begin(), last.end(), [&](auto depth) {
    return depth == *layout.mid_depth;
  });
  if (!mid_fits) fail(keys, "must have the middle's depth at its last level on the way down");
}

/// `[1, [2, 1, 1]]`: a number for a level whose layers are alike, 1 for one without transformers.
std::string depths_text(const std::vector<LdmLevel>& levels) {
  std::string text;
  for (const LdmLevel& level : levels) {
    const std::int64_t first = level.has_transformers() ? level.depths.front() : 1;
    const bool is_even = std::count(level.depths.begin(), level.depths.end(), first) ==
                         static_cast<std::ptrdiff_t>(level.depths.size());
    const bool is_number = !level.has_transformers() || is_even;
    text +=
        (text.empty() ? "[" : ", ") + (is_number ? std::to_string(first) : text_of(level.depths));
  }
  return text + "]";
}

std::string types_text(const std::vector<LdmLevel>& levels, const std::string& direction) {
  std::string text;
  for (const LdmLevel& level : levels) {
    text += (text.empty() ? "[\"" : ", \"") +
            std::string(level.has_transformers() ? "CrossAttn" : "") + direction + "Block2D\"";
  }
  return text + "]";
}

/// The first transformer on the way down or in the middle, for its widths.
std::string first_transformer(const LdmKeys& keys, const LdmLayout& layout) {
  for (const auto& entry : layout.modules) {
    const bool is_transformer = entry.second.find(".attentions.") != std::string::npos;
    if (is_transformer) return entry.first + ".transformer_blocks.0";
  }
  fail(keys, "must have transformers, got none");
}

bool has_transformers(const LdmLayout& layout, std::size_t level) {
  return layout.down[level].has_transformers() ||
         layout.up[layout.up.size() - 1 - level].has_transformers() ||
         (layout.mid_depth && level + 1 == layout.down.size());
}

/// Heads of every level; of levels without transformers they do not matter and are 1.
std::string heads_text(const LdmLayout& layout, const ConfigDocument& family) {
  const auto family_heads = family.integers("attention_head_dim");  // it counts heads
  std::vector<std::int64_t> widths, standard, heads;
  for (std::size_t i = 0; i < layout.down.size(); ++i) {
    if (!has_transformers(layout, i)) continue;
    widths.push_back(layout.down[i].channels);
    if (i < family_heads.size()) standard.push_back(family_heads[i]);
  }
  const std::vector<std::int64_t> used = heads_of(widths, standard);
  for (std::size_t i = 0, next = 0; i < layout.down.size(); ++i) {
    heads.push_back(has_transformers(layout, i) ? used[next++] : 1);
  }
  return text_of(heads);
}

}  // namespace

bool LdmLevel::has_transformers() const {
  return std::any_of(depths.begin(), depths.end(), [](auto depth) { return depth > 0; });
}

LdmLayout read_ldm_layout(const LdmKeys& keys) {
  LdmLayout layout;
  for (const auto& [theirs, ours] : kLdmOuterModules) layout.modules[theirs] = ours;
  read_down(keys, layout);
  read_middle(keys, layout);
  read_up(keys, layout);
  check_layout(keys, layout);
  return layout;
}

LdmComponent read_ldm_unet(const LdmKeys& keys, const LdmLayout& layout,
                           const ConfigDocument& family, std::int64_t pooled_width) {
  LdmComponent unet;
  unet.weights.component = "unet";
  unet.weights.path = keys.file().path();
  for (const auto& [name, tensor] : keys.tensors()) {
    add_source(unet.weights, renamed(layout.modules, name), source_of(keys.file(), *tensor));
  }
  std::vector<std::int64_t> channels, layers;
  for (const LdmLevel& level : layout.down) {
    channels.push_back(level.channels);
    layers.push_back(static_cast<std::int64_t>(level.depths.size()));
  }
  std::vector<LdmLevel> mirrored(layout.up.rbegin(), layout.up.rend());
  const bool is_symmetric = depths_text(layout.down) == depths_text(mirrored);
  const std::string transformer = first_transformer(keys, layout);
  const std::int64_t embedded = keys.size("label_emb.0.0.weight", 1);
  unet.config = {
      {"in_channels", std::to_string(keys.size("input_blocks.0.0.weight", 1))},
      {"out_channels", std::to_string(keys.size("out.2.weight", 0))},
      {"block_out_channels", text_of(channels)},
      {"layers_per_block", text_of(layers)},
      {"norm_num_groups", std::to_string(norm_groups_of(channels))},
      {"down_block_types", types_text(layout.down, "Down")},
      {"up_block_types", types_text(layout.up, "Up")},
      {"mid_block_type", layout.mid_depth ? "\"UNetMidBlock2DCrossAttn\"" : "\"UNetMidBlock2D\""},
      {"transformer_layers_per_block", depths_text(layout.down)},
      {"reverse_transformer_layers_per_block", is_symmetric ? "null" : depths_text(layout.up)},
      {"attention_head_dim", heads_text(layout, family)},
      {"cross_attention_dim", std::to_string(keys.size(transformer + ".attn2.to_k.weight", 1))},
      {"projection_class_embeddings_input_dim", std::to_string(embedded)},
      {"addition_time_embed_dim", std::to_string((embedded - pooled_width) / kTimeIds)},
  };
  if (keys.has("time_embed.cond_proj.weight")) {
    unet.config.emplace_back("time_cond_proj_dim",
                             std::to_string(keys.size("time_embed.cond_proj.weight", 1)));
  }
  return unet;
}

}  // namespace ssd1b
