#include "inference/vae/vae_blocks.h"

#include <ATen/ATen.h>

#include <utility>

namespace ssd1b {
namespace {

constexpr double kNormEps = 1e-6;  // no config sets it
constexpr std::int64_t kColours = 3;

ResnetBlock resnet(const VaeConfig& config, std::int64_t in_channels, std::int64_t out_channels) {
  ResnetBlockConfig block;
  block.in_channels = in_channels;
  block.out_channels = out_channels;
  block.norm_groups = config.norm_groups;
  block.norm_eps = kNormEps;
  block.activation = config.resnet_activation;
  return ResnetBlock(block);
}

std::vector<ResnetBlock> resnets_of(const VaeConfig& config, std::int64_t in_channels,
                                    std::int64_t out_channels, std::int64_t count) {
  std::vector<ResnetBlock> blocks;
  for (std::int64_t i = 0; i < count; ++i) {
    blocks.push_back(resnet(config, i == 0 ? in_channels : out_channels, out_channels));
  }
  return blocks;
}

AttentionConfig pixel_attention(std::int64_t channels) {
  AttentionConfig attention;
  attention.width = channels;
  attention.inner_width = channels;
  attention.qkv_bias = Bias::Yes;
  return attention;
}

at::Tensor run(const std::vector<ResnetBlock>& resnets, at::Tensor hidden, const Tick& tick) {
  for (const ResnetBlock& block : resnets) {
    hidden = block(hidden);
    tick_once(tick);
  }
  return hidden;
}

void visit_parameters(PixelAttention& attention, const Scope& scope) {
  visit_parameters(attention.group_norm, scope / "group_norm");
  visit_parameters(attention.attention, scope);
}

void visit_parameters(VaeMidBlock& block, const Scope& scope) {
  visit_parameters(block.resnets, scope / "resnets");
  if (block.attention) visit_parameters(*block.attention, scope / "attentions" / 0);
}

}  // namespace

PixelAttention::PixelAttention(std::int64_t channels, std::int64_t norm_groups)
    : group_norm(norm_groups, channels, kNormEps), attention(pixel_attention(channels)) {}

at::Tensor PixelAttention::operator()(const at::Tensor& hidden) const {
  const at::Tensor tokens = group_norm(hidden).permute({0, 2, 3, 1}).flatten(1, 2);  // [B, h w, C]
  const at::Tensor pixels =
      attention(tokens).unflatten(1, {hidden.size(2), -1}).permute({0, 3, 1, 2});  // [B, C, h, w]
  return pixels + hidden;
}

VaeMidBlock::VaeMidBlock(const VaeConfig& config)
    : resnets(resnets_of(config, config.block_channels.back(), config.block_channels.back(),
                         /*count=*/2)) {
  if (config.has_mid_attention) {
    attention.emplace(config.block_channels.back(), config.norm_groups);
  }
}

at::Tensor VaeMidBlock::operator()(const at::Tensor& hidden, const Tick& tick) const {
  at::Tensor out = resnets[0](hidden);
  tick_once(tick);
  if (attention) out = (*attention)(out);
  tick_once(tick);
  out = resnets[1](out);
  tick_once(tick);
  return out;
}

VaeEncoder::VaeEncoder(const VaeConfig& config)
    : conv_in(same_size_conv(kColours, config.block_channels.front())),
      mid_block(config),
      conv_norm_out(config.norm_groups, config.block_channels.back(), kNormEps),
      conv_out(same_size_conv(config.block_channels.back(), 2 * config.latent_channels)) {
  std::int64_t in_channels = config.block_channels.front();
  for (const std::int64_t channels : config.block_channels) {
    VaeDownBlock block;
    block.resnets = resnets_of(config, in_channels, channels, config.layers_per_block);
    const bool is_last = down_blocks.size() + 1 == config.block_channels.size();
    if (!is_last) block.downsampler.emplace(channels, /*padding=*/0);
    down_blocks.push_back(std::move(block));
    in_channels = channels;
  }
}

at::Tensor VaeEncoder::operator()(const at::Tensor& pixels, const Tick& tick) const {
  at::Tensor hidden = conv_in(pixels);
  for (const VaeDownBlock& block : down_blocks) {
    hidden = run(block.resnets, std::move(hidden), tick);
    if (block.downsampler) hidden = (*block.downsampler)(hidden);
  }
  return conv_out(conv_norm_out.with(Activation::Silu, mid_block(hidden, tick)));
}

VaeDecoder::VaeDecoder(const VaeConfig& config)
    : conv_in(same_size_conv(config.latent_channels, config.block_channels.back())),
      mid_block(config),
      conv_norm_out(config.norm_groups, config.block_channels.front(), kNormEps),
      conv_out(same_size_conv(config.block_channels.front(), kColours)) {
  const std::vector<std::int64_t> levels(config.block_channels.rbegin(),
                                         config.block_channels.rend());
  std::int64_t in_channels = levels.front();
  for (const std::int64_t channels : levels) {
    VaeUpBlock block;
    block.resnets = resnets_of(config, in_channels, channels, config.layers_per_block + 1);
    if (up_blocks.size() + 1 < levels.size()) block.upsampler.emplace(channels);
    up_blocks.push_back(std::move(block));
    in_channels = channels;
  }
}

at::Tensor VaeDecoder::operator()(const at::Tensor& latents, const Tick& tick) const {
  at::Tensor hidden = mid_block(conv_in(latents), tick);
  for (const VaeUpBlock& block : up_blocks) {
    hidden = run(block.resnets, std::move(hidden), tick);
    if (block.upsampler) {
      hidden = (*block.upsampler)(hidden, 2 * hidden.size(2), 2 * hidden.size(3));
      tick_once(tick);
    }
  }
  return conv_out(conv_norm_out.with(Activation::Silu, hidden));
}

void visit_parameters(VaeDownBlock& block, const Scope& scope) {
  visit_parameters(block.resnets, scope / "resnets");
  if (block.downsampler) visit_parameters(*block.downsampler, scope / "downsamplers" / 0);
}

void visit_parameters(VaeUpBlock& block, const Scope& scope) {
  visit_parameters(block.resnets, scope / "resnets");
  if (block.upsampler) visit_parameters(*block.upsampler, scope / "upsamplers" / 0);
}

void visit_parameters(VaeEncoder& encoder, const Scope& scope) {
  visit_parameters(encoder.conv_in, scope / "conv_in");
  visit_parameters(encoder.down_blocks, scope / "down_blocks");
  visit_parameters(encoder.mid_block, scope / "mid_block");
  visit_parameters(encoder.conv_norm_out, scope / "conv_norm_out");
  visit_parameters(encoder.conv_out, scope / "conv_out");
}

void visit_parameters(VaeDecoder& decoder, const Scope& scope) {
  visit_parameters(decoder.conv_in, scope / "conv_in");
  visit_parameters(decoder.up_blocks, scope / "up_blocks");
  visit_parameters(decoder.mid_block, scope / "mid_block");
  visit_parameters(decoder.conv_norm_out, scope / "conv_norm_out");
  visit_parameters(decoder.conv_out, scope / "conv_out");
}

}  // namespace ssd1b
