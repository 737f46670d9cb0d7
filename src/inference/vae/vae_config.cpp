#include "inference/vae/vae_config.h"

#include <optional>
#include <string>

#include "inference/layers/diffusers_activation.h"

namespace ssd1b {
namespace {

// Far above any model, far below what would overflow or take long to build.
constexpr std::size_t kMaxBlocks = 8;
constexpr std::int64_t kMaxLayers = 64;
constexpr std::int64_t kMaxWidth = std::int64_t{1} << 16;

void require_blocks(const ConfigDocument& document, const std::string& key,
                    const std::string& known, std::size_t count) {
  const std::optional<std::vector<std::string>> types = document.optional_texts(key);
  const std::vector<std::string> wanted(count, known);
  document.require(types.value_or(std::vector<std::string>{known}) == wanted, key,
                   std::to_string(count) + " times " + known);
}

/// diffusers uses both or none.
void read_latent_statistics(const ConfigDocument& document, VaeConfig& config) {
  if (!document.has("latents_mean") || !document.has("latents_std")) return;
  config.latents_mean = document.numbers("latents_mean");
  config.latents_std = document.numbers("latents_std");
  const auto channels = static_cast<std::size_t>(config.latent_channels);
  const std::string must = "a list of " + std::to_string(channels) + " numbers";
  document.require(config.latents_mean.size() == channels, "latents_mean", must);
  document.require(config.latents_std.size() == channels, "latents_std", must);
  for (const double deviation : config.latents_std) {
    document.require(deviation > 0.0, "latents_std", "made of numbers above 0");
  }
}

}  // namespace

VaeConfig VaeConfig::from(const ConfigDocument& document) {
  document.require_text("_class_name", "AutoencoderKL");
  VaeConfig config;
  if (const auto channels = document.optional_integers("block_out_channels")) {
    config.block_channels = *channels;
  }
  const std::size_t blocks = config.block_channels.size();
  document.require(1 <= blocks && blocks <= kMaxBlocks, "block_out_channels",
                   "a list of 1 to " + std::to_string(kMaxBlocks));
  config.norm_groups = document.integer_or("norm_num_groups", 32, {1, kMaxWidth});
  for (const std::int64_t channels : config.block_channels) {
    document.require(1 <= channels && channels <= kMaxWidth, "block_out_channels",
                     "made of integers from 1 to " + std::to_string(kMaxWidth));
    document.require(channels % config.norm_groups == 0, "norm_num_groups",
                     "a divisor of each of block_out_channels");
  }
  require_blocks(document, "down_block_types", "DownEncoderBlock2D", blocks);
  require_blocks(document, "up_block_types", "UpDecoderBlock2D", blocks);
  for (const char* key : {"in_channels", "out_channels"}) {
    document.require(document.optional_integer(key).value_or(3) == 3, key, "3: red, green, blue");
  }
  config.latent_channels = document.integer_or("latent_channels", 4, {1, kMaxWidth});
  config.resnet_activation = diffusers_activation(document, "act_fn").value_or(Activation::Silu);
  config.layers_per_block = document.integer_or("layers_per_block", 1, {1, kMaxLayers});
  config.has_mid_attention = document.optional_boolean("mid_block_add_attention").value_or(true);
  config.has_quant_conv = document.optional_boolean("use_quant_conv").value_or(true);
  config.has_post_quant_conv = document.optional_boolean("use_post_quant_conv").value_or(true);
  config.force_upcast = document.optional_boolean("force_upcast").value_or(true);
  config.scaling_factor = document.optional_number("scaling_factor").value_or(0.18215);
  document.require(config.scaling_factor > 0.0, "scaling_factor", "a number above 0");
  // shift_factor is not read: the pipeline of SDXL does not use it either.
  read_latent_statistics(document, config);
  return config;
}

}  // namespace ssd1b
