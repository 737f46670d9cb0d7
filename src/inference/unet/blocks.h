#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <optional>
#include <vector>

#include "inference/layers/resample.h"
#include "inference/layers/resnet_block.h"
#include "inference/layers/tick.h"
#include "inference/unet/transformer.h"
#include "inference/unet/unet_config.h"

namespace ssd1b {

/// What every block of one UNet call reads.
struct BlockInput {
  const std::vector<at::Tensor>& times;   // of all resnets of the UNet, in order
  const std::vector<KeysValues>& prompt;  // of all transformer blocks of the UNet, in order
  const Tick& tick;                       // called after every resnet and its transformer
};

/// Where a block's own begin in the lists of BlockInput.
struct BlockPlace {
  std::size_t time = 0;
  std::size_t prompt = 0;
};

/// Resnets, each with a transformer behind it where the config has them.
struct DownBlock {
  DownBlock(const UNetConfig& config, std::size_t level, const BlockPlace& place);
  /// hidden [B, Cin, h, w] -> [B, C, h', w']; each intermediate result is appended to `skips`.
  at::Tensor operator()(at::Tensor hidden, const BlockInput& input,
                        std::vector<at::Tensor>& skips) const;

  std::vector<ResnetBlock> resnets;
  std::vector<Transformer> attentions;
  std::optional<Downsample> downsampler;  // downsamplers.0, on all levels but the last
  BlockPlace place;
};

/// One resnet; with transformers one more behind them.
struct MidBlock {
  MidBlock(const UNetConfig& config, const BlockPlace& place);
  /// [B, C, h, w] -> the same
  at::Tensor operator()(at::Tensor hidden, const BlockInput& input) const;

  std::vector<ResnetBlock> resnets;
  std::vector<Transformer> attentions;
  BlockPlace place;
};

/// Like DownBlock, each resnet reading the skip that was made last and not yet used.
struct UpBlock {
  UpBlock(const UNetConfig& config, std::size_t level, const BlockPlace& place);
  /// hidden [B, Cin, h, w] -> [B, C, h', w'] with the size of the next skip; takes its skips off
  /// the end of `skips`.
  at::Tensor operator()(at::Tensor hidden, const BlockInput& input,
                        std::vector<at::Tensor>& skips) const;

  std::vector<ResnetBlock> resnets;
  std::vector<Transformer> attentions;
  std::optional<Upsample> upsampler;  // upsamplers.0, on all levels but the last
  BlockPlace place;
};

void visit_parameters(DownBlock& block, const Scope& scope);
void visit_parameters(MidBlock& block, const Scope& scope);
void visit_parameters(UpBlock& block, const Scope& scope);

}  // namespace ssd1b
