#include "inference/layers/resnet_block.h"

#include <ATen/ATen.h>

#include <vector>

namespace ssd1b {

ResnetBlock::ResnetBlock(const ResnetBlockConfig& config)
    : norm1(config.norm_groups, config.in_channels, config.norm_eps),
      norm2(config.norm_groups, config.out_channels, config.norm_eps),
      conv1(same_size_conv(config.in_channels, config.out_channels)),
      conv2(same_size_conv(config.out_channels, config.out_channels)),
      output_scale(config.output_scale),
      activation(config.activation),
      scales_by_time(config.scales_by_time) {
  if (config.time_width > 0) {
    time_emb_proj.emplace(config.time_width, (scales_by_time ? 2 : 1) * config.out_channels);
  }
  if (config.in_channels != config.out_channels) {
    conv_shortcut.emplace(same_size_conv(config.in_channels, config.out_channels, /*kernel=*/1));
  }
}

at::Tensor ResnetBlock::normed_with_time(const Unbiased& hidden, const at::Tensor& time) const {
  if (!scales_by_time) return norm2.with(activation, hidden, time);
  const std::vector<at::Tensor> halves =
      time.unsqueeze(-1).unsqueeze(-1).chunk(2, 1);  // scale, shift [B, Cout, 1, 1]
  at::Tensor normed = norm2.with(Activation::None, hidden);
  return activate(normed.mul_(1.0 + halves[0]).add_(halves[1]), activation);
}

at::Tensor ResnetBlock::operator()(const at::Tensor& hidden, const at::Tensor& time) const {
  // One name: each step gives up what the one before it read.
  Unbiased out = conv1.unbiased(norm1.with(activation, hidden));
  out = {normed_with_time(out, time), {}};
  out = conv2.unbiased(out.picture);
  at::Tensor sum = add(out, conv_shortcut ? conv_shortcut->unbiased(hidden) : Unbiased{hidden, {}});
  if (output_scale != 1.0) sum.div_(output_scale);
  return sum;
}

void visit_parameters(ResnetBlock& block, const Scope& scope) {
  visit_parameters(block.norm1, scope / "norm1");
  visit_parameters(block.conv1, scope / "conv1");
  if (block.time_emb_proj) visit_parameters(*block.time_emb_proj, scope / "time_emb_proj");
  visit_parameters(block.norm2, scope / "norm2");
  visit_parameters(block.conv2, scope / "conv2");
  if (block.conv_shortcut) visit_parameters(*block.conv_shortcut, scope / "conv_shortcut");
}

}  // namespace ssd1b
