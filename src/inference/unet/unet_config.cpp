#include "inference/unet/unet_config.h"

#include <algorithm>
#include <utility>

#include "inference/layers/diffusers_activation.h"
#include "inference/unet/refuse_unbuilt.h"
#include "inference/weights/time_ids.h"

namespace ssd1b {
namespace {

// Far above any model, far below what would overflow or take long to build.
constexpr std::size_t kMaxLevels = 16;
constexpr std::int64_t kMaxLayers = 64;
constexpr std::int64_t kMaxDepth = 256;
constexpr std::int64_t kMaxWidth = std::int64_t{1} << 17;
constexpr std::int64_t kMaxKernel = 31;

using Integers = std::vector<std::int64_t>;

/// The integer of a key, or the default where the key is absent; null is no number.
std::int64_t integer_or(const ConfigDocument& document, const std::string& key,
                        std::int64_t standard, const IntegerRange& range) {
  return document.has_key(key) ? document.integer(key, range) : standard;
}

double positive_number(const ConfigDocument& document, const std::string& key, double standard) {
  if (!document.has_key(key)) return standard;
  const double value = document.number(key);
  document.require(value > 0.0, key, "a number above 0");
  return value;
}

Integers integers_between(const ConfigDocument& document, const std::string& key, std::size_t count,
                          std::int64_t standard, std::int64_t most) {
  if (!document.has_key(key)) return Integers(count, standard);
  Integers values = document.integers_or_one(key, count);
  for (const std::int64_t value : values) {
    document.require(1 <= value && value <= most, key,
                     "made of integers from 1 to " + std::to_string(most));
  }
  return values;
}

/// Depths of the transformers of one level: a number for all its layers or a list of theirs.
Integers depths_of(const ConfigDocument& document, const std::string& key,
                   const NestedIntegers& entry, std::size_t layers) {
  Integers depths;
  if (!entry.is_list()) depths.assign(layers, *entry.value);
  for (const NestedIntegers& item : entry.items) {
    document.require(!item.is_list(), key, "a list of lists at most");
    depths.push_back(*item.value);
  }
  document.require(depths.size() >= layers, key,
                   "made of integers or lists of as many as the level has layers");
  depths.resize(layers);
  for (const std::int64_t depth : depths) {
    document.require(0 <= depth && depth <= kMaxDepth, key,
                     "made of integers from 0 to " + std::to_string(kMaxDepth));
  }
  return depths;
}

/// One entry a level.
std::vector<NestedIntegers> entries_of(const ConfigDocument& document, const std::string& key,
                                       std::size_t levels) {
  NestedIntegers one;
  one.value = 1;
  const NestedIntegers all = document.has_key(key) ? document.integers_or_nested(key) : one;
  if (!all.is_list()) return std::vector<NestedIntegers>(levels, all);
  document.require(all.items.size() == levels, key,
                   "an integer or a list of " + std::to_string(levels));
  return all.items;
}

/// What the levels have in common on the way down and up, in the order of the way down.
struct Levels {
  Integers channels, heads, layers;
  std::vector<NestedIntegers> depths;
  std::size_t size() const { return channels.size(); }
};

Levels read_levels(const ConfigDocument& document) {
  Levels levels;
  levels.channels = document.has_key("block_out_channels") ? document.integers("block_out_channels")
                                                           : Integers{320, 640, 1280, 1280};
  document.require(!levels.channels.empty() && levels.channels.size() <= kMaxLevels,
                   "block_out_channels", "a list of 1 to " + std::to_string(kMaxLevels));
  for (const std::int64_t channels : levels.channels) {
    document.require(1 <= channels && channels <= kMaxWidth, "block_out_channels",
                     "made of integers from 1 to " + std::to_string(kMaxWidth));
  }
  const std::size_t count = levels.size();
  levels.heads = integers_between(document, "attention_head_dim", count, 8, kMaxWidth);
  for (std::size_t i = 0; i < count; ++i) {
    document.require(levels.heads[i] <= levels.channels[i], "attention_head_dim",
                     "at most as many heads as block_out_channels has channels");
  }
  levels.layers = integers_between(document, "layers_per_block", count, 2, kMaxLayers);
  levels.depths = entries_of(document, "transformer_layers_per_block", count);
  return levels;
}

/// Whether each level of a list of block types has transformers.
std::vector<bool> transformers_of(const ConfigDocument& document, const std::string& key,
                                  std::size_t levels, const std::string& without,
                                  const std::string& with) {
  const std::vector<std::string> types = document.texts(key);
  document.require(types.size() == levels, key, "a list of " + std::to_string(levels));
  std::vector<bool> have;
  for (const std::string& type : types) {
    document.require(type == without || type == with, key, "made of " + without + " and " + with);
    have.push_back(type == with);
  }
  return have;
}

void read_down(const ConfigDocument& document, const Levels& levels, UNetConfig& config) {
  const std::vector<bool> has_transformers = transformers_of(
      document, "down_block_types", levels.size(), "DownBlock2D", "CrossAttnDownBlock2D");
  for (std::size_t i = 0; i < levels.size(); ++i) {
    UNetBlockConfig block{levels.channels[i], levels.heads[i], has_transformers[i], {}};
    const std::size_t layers = static_cast<std::size_t>(levels.layers[i]);
    block.depths = Integers(layers, 0);
    if (block.has_transformers) {
      block.depths = depths_of(document, "transformer_layers_per_block", levels.depths[i], layers);
    }
    config.down_blocks.push_back(std::move(block));
  }
}

void read_mid(const ConfigDocument& document, const Levels& levels, UNetConfig& config) {
  const std::string key = "mid_block_type";
  if (document.has_key(key) && !document.has(key)) return;  // null: no mid block
  const std::string type = document.optional_text(key).value_or("UNetMidBlock2DCrossAttn");
  document.require(type == "UNetMidBlock2D" || type == "UNetMidBlock2DCrossAttn", key,
                   "UNetMidBlock2D, UNetMidBlock2DCrossAttn or null");
  UNetBlockConfig block{levels.channels.back(), levels.heads.back(), false, {}};
  if (type == "UNetMidBlock2DCrossAttn") {
    block.has_transformers = true;
    block.depths =
        depths_of(document, "transformer_layers_per_block", levels.depths.back(), /*layers=*/1);
  }
  config.mid_block = std::move(block);
}

/// Depths on the way up: their own key, or those of the way down backwards where no level there has
/// a list (then the two ways have different numbers of layers).
std::vector<NestedIntegers> up_entries(const ConfigDocument& document, const Levels& levels) {
  const std::string key = "reverse_transformer_layers_per_block";
  if (document.has(key)) {
    std::vector<NestedIntegers> entries = entries_of(document, key, levels.size());
    document.require(document.integers_or_nested(key).is_list(), key, "a list or null");
    return entries;
  }
  for (const NestedIntegers& entry : levels.depths) {
    document.require(!entry.is_list(), key,
                     "a list, because transformer_layers_per_block has lists inside");
  }
  return {levels.depths.rbegin(), levels.depths.rend()};
}

void read_up(const ConfigDocument& document, const Levels& levels, UNetConfig& config) {
  const std::vector<bool> has_transformers =
      transformers_of(document, "up_block_types", levels.size(), "UpBlock2D", "CrossAttnUpBlock2D");
  const std::vector<NestedIntegers> entries = up_entries(document, levels);
  const std::string key = document.has("reverse_transformer_layers_per_block")
                              ? "reverse_transformer_layers_per_block"
                              : "transformer_layers_per_block";
  for (std::size_t i = 0; i < levels.size(); ++i) {
    const std::size_t level = levels.size() - 1 - i;
    UNetBlockConfig block{levels.channels[level], levels.heads[level], has_transformers[i], {}};
    const std::size_t layers = static_cast<std::size_t>(levels.layers[level]) + 1;
    block.depths = Integers(layers, 0);
    if (block.has_transformers) block.depths = depths_of(document, key, entries[i], layers);
    config.up_blocks.push_back(std::move(block));
  }
}

void read_embeddings(const ConfigDocument& document, const Levels& levels, UNetConfig& config) {
  config.time_width = levels.channels.front() * 4;
  if (document.has("time_embedding_dim")) {
    config.time_width = document.integer("time_embedding_dim", {1, 4 * kMaxWidth});
  }
  config.activation = diffusers_activation(document, "act_fn").value_or(Activation::Silu);
  const std::string shift = document.optional_text("resnet_time_scale_shift").value_or("default");
  document.require(shift == "default" || shift == "scale_shift", "resnet_time_scale_shift",
                   "default or scale_shift (this program knows no other)");
  config.scales_by_time = shift == "scale_shift";
  config.time_activation =
      diffusers_activation(document, "timestep_post_act").value_or(Activation::None);
  config.added_time_activation =
      diffusers_activation(document, "time_embedding_act_fn").value_or(Activation::None);
  config.flip_sin_to_cos = document.optional_boolean("flip_sin_to_cos").value_or(true);
  config.freq_shift = document.optional_number("freq_shift").value_or(0.0);
  document.require(levels.channels.front() / 2 - config.freq_shift > 0.0, "freq_shift",
                   "below half of the first of block_out_channels");
  if (document.has("time_cond_proj_dim")) {
    config.guidance_width = document.integer("time_cond_proj_dim", {4, kMaxWidth});
  }
  const Integers widths =
      integers_between(document, "cross_attention_dim", levels.size(), 1280, kMaxWidth);
  config.cross_attention_width = widths.front();
  document.require(std::count(widths.begin(), widths.end(), widths.front()) ==
                       static_cast<std::ptrdiff_t>(widths.size()),
                   "cross_attention_dim", "one number: a prompt has one width");
  config.time_id_width = document.integer("addition_time_embed_dim", {2, kMaxWidth});
  document.require(config.time_id_width / 2 - config.freq_shift > 0.0, "freq_shift",
                   "below half of addition_time_embed_dim");
  const std::int64_t inputs = document.integer("projection_class_embeddings_input_dim");
  document.require(
      kTimeIds * config.time_id_width < inputs && inputs <= 16 * kMaxWidth,
      "projection_class_embeddings_input_dim",
      "more than 6 times addition_time_embed_dim and at most " + std::to_string(16 * kMaxWidth));
  config.pooled_width = inputs - kTimeIds * config.time_id_width;
}

void read_norms_and_convolutions(const ConfigDocument& document, UNetConfig& config) {
  config.norm_groups = integer_or(document, "norm_num_groups", 32, {1, kMaxWidth});
  for (const UNetBlockConfig& block : config.down_blocks) {
    document.require(block.channels % config.norm_groups == 0, "norm_num_groups",
                     "a divisor of each of block_out_channels");
  }
  config.norm_eps = positive_number(document, "norm_eps", 1e-5);
  config.downsample_padding = integer_or(document, "downsample_padding", 1, {0, 1});
  config.mid_block_scale_factor = positive_number(document, "mid_block_scale_factor", 1.0);
  config.conv_in_kernel = integer_or(document, "conv_in_kernel", 3, {1, kMaxKernel});
  config.conv_out_kernel = integer_or(document, "conv_out_kernel", 3, {1, kMaxKernel});
  document.require(config.conv_in_kernel % 2 == 1, "conv_in_kernel", "odd");
  document.require(config.conv_out_kernel % 2 == 1, "conv_out_kernel", "odd");
}

}  // namespace

UNetConfig UNetConfig::from(const ConfigDocument& document) {
  refuse_what_is_not_built(document);
  UNetConfig config;
  config.in_channels = integer_or(document, "in_channels", 4, {1, kMaxWidth});
  config.out_channels = integer_or(document, "out_channels", 4, {1, kMaxWidth});
  if (document.has("sample_size")) {
    const std::vector<std::int64_t> sides = document.integers_or_one("sample_size", 2);
    for (const std::int64_t side : sides) {
      document.require(side >= 1 && side <= kMaxWidth, "sample_size",
                       "one or two integers from 1 to " + std::to_string(kMaxWidth));
    }
    config.sample_height = sides[0];
    config.sample_width = sides[1];
  }
  config.center_input_sample = document.optional_boolean("center_input_sample").value_or(false);
  config.use_linear_projection = document.optional_boolean("use_linear_projection").value_or(false);
  const Levels levels = read_levels(document);
  read_down(document, levels, config);
  read_mid(document, levels, config);
  read_up(document, levels, config);
  read_embeddings(document, levels, config);
  read_norms_and_convolutions(document, config);
  return config;
}

}  // namespace ssd1b
