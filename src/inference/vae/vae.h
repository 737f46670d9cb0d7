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
#include "ssd1b/image.h"

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

/// Which halves of the autoencoder a program needs.
enum class VaeParts { Decoder, Both };

/// Where the encoder sees a picture: a normal distribution for each latent pixel.
struct LatentDistribution {
  at::Tensor mean, standard_deviation;  // [B, Cl, h, w]
};

/// Latents to pixels and back.
struct Vae {
  explicit Vae(const VaeConfig& config, VaeParts parts = VaeParts::Decoder);
  /// Latents as the UNet's loop leaves them [B, Cl, h, w] -> pixels [B, 3, H, W], about -1..1, not
  /// clamped. Ticks after every block.
  at::Tensor decode(const at::Tensor& latents, const Tick& tick) const;
  /// Pixels [B, 3, H, W] in -1..1 -> the distribution of the autoencoder's own latents. Needs
  /// VaeParts::Both.
  LatentDistribution encode(const at::Tensor& pixels, const Tick& tick) const;

  /// The autoencoder's own latents from those of the UNet's loop, and back.
  at::Tensor from_model_space(const at::Tensor& latents) const;
  at::Tensor to_model_space(const at::Tensor& latents) const;

  VaeConfig config;
  std::optional<VaeEncoder> encoder;
  std::optional<Conv2d> quant_conv;
  VaeDecoder decoder;
  std::optional<Conv2d> post_quant_conv;
};

/// Visits the parts that it has.
void visit_parameters(Vae& vae, const Scope& scope);

/// Pixels [1, 3, H, W] about -1..1, on any device in any floating dtype, to bytes: clamped, rounded
/// half to even, as diffusers does.
Image to_image(const at::Tensor& pixels);

}  // namespace ssd1b
