#include "inference/unet/unet.h"

#include <ATen/ATen.h>

#include <utility>

#include "inference/weights/time_ids.h"

namespace ssd1b {
namespace {

TimestepEmbeddingConfig time_embedding_config(const UNetConfig& config) {
  TimestepEmbeddingConfig embedding;
  embedding.inputs = config.first_channels();
  embedding.outputs = config.time_width;
  embedding.condition_width = config.guidance_width;
  embedding.activation = config.activation;
  embedding.last_activation = config.time_activation;
  return embedding;
}

}  // namespace

PromptKeysValues concat_rows(const std::vector<const PromptKeysValues*>& parts) {
  PromptKeysValues all;
  for (std::size_t i = 0; i < parts.front()->size(); ++i) {
    std::vector<at::Tensor> keys, values;
    for (const PromptKeysValues* part : parts) {
      keys.push_back((*part)[i].keys);
      values.push_back((*part)[i].values);
    }
    all.push_back({at::cat(keys), at::cat(values)});
  }
  return all;
}

UNet::UNet(const UNetConfig& config_of)
    : config(config_of),
      conv_in(same_size_conv(config.in_channels, config.first_channels(), config.conv_in_kernel)),
      time_embedding(time_embedding_config(config)),
      add_embedding({config.pooled_width + kTimeIds * config.time_id_width, config.time_width}),
      conv_norm_out(config.norm_groups, config.first_channels(), config.norm_eps),
      conv_out(
          same_size_conv(config.first_channels(), config.out_channels, config.conv_out_kernel)) {
  BlockPlace place;
  const auto added = [&](const auto& block) {
    for (const ResnetBlock& resnet : block.resnets) {
      time_widths_.push_back(resnet.time_emb_proj->weight.shape.front());
    }
    place.time = time_widths_.size();
    for (const Transformer& each : block.attentions) place.prompt += each.transformer_blocks.size();
  };
  for (std::size_t i = 0; i < config.down_blocks.size(); ++i) {
    added(down_blocks.emplace_back(config, i, place));
  }
  if (config.mid_block) added(mid_block.emplace(config, place));
  for (std::size_t i = 0; i < config.up_blocks.size(); ++i) {
    added(up_blocks.emplace_back(config, i, place));
  }
}

template <typename Visit>
void UNet::visit_blocks(Visit visit) const {
  for (const DownBlock& block : down_blocks) visit(block);
  if (mid_block) visit(*mid_block);
  for (const UpBlock& block : up_blocks) visit(block);
}

UNetConditioning UNet::prepare(const UNetPrompt& prompt) const {
  UNetConditioning conditioning;
  visit_blocks([&](const auto& block) {
    for (const Transformer& transformer : block.attentions) {
      transformer.prepare(prompt.embeddings, conditioning.prompt);
    }
  });

  const SinusoidConfig sizes{config.time_id_width, config.flip_sin_to_cos, config.freq_shift};
  const at::Tensor size_embeddings =
      sinusoids(prompt.time_ids.flatten(), sizes).reshape({prompt.pooled.size(0), -1});
  conditioning.added_embedding =
      add_embedding(at::cat({prompt.pooled, size_embeddings.to(prompt.pooled.scalar_type())}, -1));
  conditioning.guidance = prompt.guidance;
  return conditioning;
}

at::Tensor UNet::embed_times(const at::Tensor& timesteps,
                             const UNetConditioning& conditioning) const {
  const at::ScalarType dtype = conditioning.added_embedding.scalar_type();
  const SinusoidConfig sizes{config.first_channels(), config.flip_sin_to_cos, config.freq_shift};
  const at::Tensor waves = sinusoids(timesteps.flatten(), sizes).to(dtype);  // [S B, width]
  const at::Tensor time =
      time_embedding(waves.view({timesteps.size(0), timesteps.size(1), -1}), conditioning.guidance);
  const at::Tensor both =
      activate(time + conditioning.added_embedding, config.added_time_activation);  // [S, B, T]
  const at::Tensor activated = activate(both, config.activation);
  std::vector<at::Tensor> projected;
  visit_blocks([&](const auto& block) {
    for (const ResnetBlock& resnet : block.resnets) {
      projected.push_back((*resnet.time_emb_proj)(activated));
    }
  });
  return at::cat(projected, /*dim=*/-1);
}

at::Tensor UNet::operator()(const UNetInput& input, const Tick& tick) const {
  const std::vector<at::Tensor> times = input.times.split_with_sizes(time_widths_, /*dim=*/1);
  const BlockInput block_input{times, input.prompt, tick};

  // 1. pre-process
  at::Tensor hidden = input.latents.contiguous(at::MemoryFormat::ChannelsLast);
  if (config.center_input_sample) hidden = 2.0 * hidden - 1.0;
  hidden = conv_in(hidden);
  std::vector<at::Tensor> skips{hidden};

  // 2. down
  for (const DownBlock& block : down_blocks) hidden = block(std::move(hidden), block_input, skips);

  // 3. mid
  if (mid_block) hidden = (*mid_block)(std::move(hidden), block_input);

  // 4. up
  for (const UpBlock& block : up_blocks) hidden = block(std::move(hidden), block_input, skips);

  // 5. post-process
  return conv_out(conv_norm_out.with(config.activation, hidden)).contiguous();
}

void visit_parameters(UNet& unet, const Scope& scope) {
  visit_parameters(unet.conv_in, scope / "conv_in");
  visit_parameters(unet.time_embedding, scope / "time_embedding");
  visit_parameters(unet.add_embedding, scope / "add_embedding");
  visit_parameters(unet.down_blocks, scope / "down_blocks");
  visit_parameters(unet.up_blocks, scope / "up_blocks");
  if (unet.mid_block) visit_parameters(*unet.mid_block, scope / "mid_block");
  visit_parameters(unet.conv_norm_out, scope / "conv_norm_out");
  visit_parameters(unet.conv_out, scope / "conv_out");
}

}  // namespace ssd1b
