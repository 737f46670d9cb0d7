#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <optional>
#include <vector>

#include "inference/layers/attention.h"
#include "inference/layers/conv2d.h"
#include "inference/layers/norms.h"
#include "inference/layers/resample.h"
#include "inference/layers/resnet_block.h"
#include "inference/layers/tick.h"
#include "inference/vae/vae_config.h"

namespace ssd1b {

/// One head that sees every pixel, added to its input.
struct PixelAttention {
  PixelAttention(std::int64_t channels, std::int64_t norm_groups);
  /// [B, C, h, w] -> the same
  at::Tensor operator()(const at::Tensor& hidden) const;

  GroupNorm group_norm;
  SelfAttention attention;
};

/// Two resnets with an attention between them, where the config has one.
struct VaeMidBlock {
  explicit VaeMidBlock(const VaeConfig& config);
  /// [B, C, h, w] -> the same
  at::Tensor operator()(const at::Tensor& hidden, const Tick& tick) const;

  std::vector<ResnetBlock> resnets;
  std::optional<PixelAttention> attention;  // attentions.0
};

struct VaeDownBlock {
  std::vector<ResnetBlock> resnets;
  std::optional<Downsample> downsampler;  // downsamplers.0
};

struct VaeUpBlock {
  std::vector<ResnetBlock> resnets;
  std::optional<Upsample> upsampler;  // upsamplers.0
};

struct VaeEncoder {
  explicit VaeEncoder(const VaeConfig& config);
  /// pixels [B, 3, H, W] -> mean and log variance [B, 2 Cl, h, w]
  at::Tensor operator()(const at::Tensor& pixels, const Tick& tick) const;

  Conv2d conv_in;
  std::vector<VaeDownBlock> down_blocks;
  VaeMidBlock mid_block;
  GroupNorm conv_norm_out;
  Conv2d conv_out;
};

struct VaeDecoder {
  explicit VaeDecoder(const VaeConfig& config);
  /// latents [B, Cl, h, w] -> pixels [B, 3, H, W]
  at::Tensor operator()(const at::Tensor& latents, const Tick& tick) const;

  Conv2d conv_in;
  VaeMidBlock mid_block;
  std::vector<VaeUpBlock> up_blocks;
  GroupNorm conv_norm_out;
  Conv2d conv_out;
};

void visit_parameters(VaeDownBlock& block, const Scope& scope);
void visit_parameters(VaeUpBlock& block, const Scope& scope);
void visit_parameters(VaeEncoder& encoder, const Scope& scope);
void visit_parameters(VaeDecoder& decoder, const Scope& scope);

}  // namespace ssd1b
