#include "inference/unet/blocks.h"

#include <ATen/ATen.h>

namespace ssd1b {
namespace {

ResnetBlockConfig resnet_config(const UNetConfig& config, std::int64_t in_channels,
                                std::int64_t out_channels) {
  ResnetBlockConfig resnet;
  resnet.in_channels = in_channels;
  resnet.out_channels = out_channels;
  resnet.time_width = config.time_width;
  resnet.norm_groups = config.norm_groups;
  resnet.norm_eps = config.norm_eps;
  resnet.activation = config.activation;
  resnet.scales_by_time = config.scales_by_time;
  return resnet;
}

/// The transformers of a level, one for each depth; none where the level has none.
std::vector<Transformer> transformers(const UNetConfig& config, const UNetBlockConfig& level) {
  std::vector<Transformer> made;
  if (!level.has_transformers) return made;
  TransformerConfig transformer;
  transformer.channels = level.channels;
  transformer.heads = level.heads;
  transformer.inner_width = level.attention_width();
  transformer.cross_attention_width = config.cross_attention_width;
  transformer.norm_groups = config.norm_groups;
  transformer.use_linear_projection = config.use_linear_projection;
  for (const std::int64_t depth : level.depths) {
    transformer.depth = depth;
    made.emplace_back(transformer);
  }
  return made;
}

/// Reads the prompts of one transformer after another.
class PromptCursor {
 public:
  PromptCursor(const BlockInput& input, std::size_t first) : next_(input.prompt.data() + first) {}

  at::Tensor run(const Transformer& transformer, const at::Tensor& hidden) {
    at::Tensor out = transformer(hidden, next_);
    next_ += transformer.transformer_blocks.size();
    return out;
  }

 private:
  const KeysValues* next_;
};

}  // namespace

DownBlock::DownBlock(const UNetConfig& config, std::size_t level, const BlockPlace& place_of)
    : place(place_of) {
  const UNetBlockConfig& block = config.down_blocks[level];
  std::int64_t in_channels = config.down_blocks[level == 0 ? 0 : level - 1].channels;
  for (std::size_t i = 0; i < block.depths.size(); ++i) {
    resnets.emplace_back(resnet_config(config, in_channels, block.channels));
    in_channels = block.channels;
  }
  attentions = transformers(config, block);
  if (level + 1 < config.down_blocks.size()) {
    downsampler.emplace(block.channels, config.downsample_padding);
  }
}

at::Tensor DownBlock::operator()(at::Tensor hidden, const BlockInput& input,
                                 std::vector<at::Tensor>& skips) const {
  PromptCursor prompts(input, place.prompt);
  for (std::size_t i = 0; i < resnets.size(); ++i) {
    hidden = resnets[i](hidden, input.times[place.time + i]);
    if (!attentions.empty()) hidden = prompts.run(attentions[i], hidden);
    skips.push_back(hidden);
    tick_once(input.tick);
  }
  if (downsampler) {
    hidden = (*downsampler)(hidden);
    skips.push_back(hidden);
  }
  return hidden;
}

MidBlock::MidBlock(const UNetConfig& config, const BlockPlace& place_of) : place(place_of) {
  const UNetBlockConfig& block = *config.mid_block;
  ResnetBlockConfig resnet = resnet_config(config, block.channels, block.channels);
  resnet.output_scale = config.mid_block_scale_factor;
  attentions = transformers(config, block);
  for (std::size_t i = 0; i < attentions.size() + 1; ++i) resnets.emplace_back(resnet);
}

at::Tensor MidBlock::operator()(at::Tensor hidden, const BlockInput& input) const {
  PromptCursor prompts(input, place.prompt);
  hidden = resnets[0](hidden, input.times[place.time]);
  tick_once(input.tick);
  for (std::size_t i = 0; i < attentions.size(); ++i) {
    hidden = prompts.run(attentions[i], hidden);
    hidden = resnets[i + 1](hidden, input.times[place.time + i + 1]);
    tick_once(input.tick);
  }
  return hidden;
}

UpBlock::UpBlock(const UNetConfig& config, std::size_t level, const BlockPlace& place_of)
    : place(place_of) {
  const UNetBlockConfig& block = config.up_blocks[level];
  const std::size_t last = config.up_blocks.size() - 1;
  std::int64_t in_channels = config.up_blocks[level == 0 ? 0 : level - 1].channels;
  // The last skip of a level is what the level above it handed down.
  const std::int64_t last_skip = config.up_blocks[level == last ? last : level + 1].channels;
  for (std::size_t i = 0; i < block.depths.size(); ++i) {
    const std::int64_t skip = i + 1 == block.depths.size() ? last_skip : block.channels;
    resnets.emplace_back(resnet_config(config, in_channels + skip, block.channels));
    in_channels = block.channels;
  }
  attentions = transformers(config, block);
  if (level != last) upsampler.emplace(block.channels);
}

at::Tensor UpBlock::operator()(at::Tensor hidden, const BlockInput& input,
                               std::vector<at::Tensor>& skips) const {
  PromptCursor prompts(input, place.prompt);
  for (std::size_t i = 0; i < resnets.size(); ++i) {
    hidden = at::cat({hidden, skips.back()}, 1);  // [B, C + Cskip, h, w]
    skips.pop_back();
    hidden = resnets[i](hidden, input.times[place.time + i]);
    if (!attentions.empty()) hidden = prompts.run(attentions[i], hidden);
    tick_once(input.tick);
  }
  if (upsampler) hidden = (*upsampler)(hidden, skips.back().size(2), skips.back().size(3));
  return hidden;
}

void visit_parameters(DownBlock& block, const Scope& scope) {
  visit_parameters(block.attentions, scope / "attentions");
  visit_parameters(block.resnets, scope / "resnets");
  if (block.downsampler) visit_parameters(*block.downsampler, scope / "downsamplers" / 0);
}

void visit_parameters(MidBlock& block, const Scope& scope) {
  visit_parameters(block.attentions, scope / "attentions");
  visit_parameters(block.resnets, scope / "resnets");
}

void visit_parameters(UpBlock& block, const Scope& scope) {
  visit_parameters(block.attentions, scope / "attentions");
  visit_parameters(block.resnets, scope / "resnets");
  if (block.upsampler) visit_parameters(*block.upsampler, scope / "upsamplers" / 0);
}

}  // namespace ssd1b
