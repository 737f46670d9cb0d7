#include "inference/layers/resnet_block.h"

#include <ATen/ATen.h>

namespace ssd1b {

ResnetBlock::ResnetBlock(const ResnetBlockConfig& config)
    : norm1(config.norm_groups, config.in_channels, config.norm_eps),
      norm2(config.norm_groups, config.out_channels, config.norm_eps),
      conv1(same_size_conv(config.in_channels, config.out_channels)),
      conv2(same_size_conv(config.out_channels, config.out_channels)),
      output_scale(config.output_scale) {
  if (config.time_width > 0) time_emb_proj.emplace(config.time_width, config.out_channels);
  if (config.in_channels != config.out_channels) {
    conv_shortcut.emplace(same_size_conv(config.in_channels, config.out_channels, /*kernel=*/1));
  }
}

at::Tensor ResnetBlock::operator()(const at::Tensor& hidden,
                                   const at::Tensor& activated_time) const {
  at::Tensor out = conv1(norm1.with_silu(hidden));
  if (time_emb_proj) {
    out.add_((*time_emb_proj)(activated_time).unsqueeze(-1).unsqueeze(-1));  // [B, Cout, 1, 1]
  }
  out = conv2(norm2.with_silu(out));
  out.add_(conv_shortcut ? (*conv_shortcut)(hidden) : hidden);
  if (output_scale != 1.0) out.div_(output_scale);
  return out;
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
