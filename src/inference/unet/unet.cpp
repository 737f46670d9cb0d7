#include "inference/unet/unet.h"

#include <ATen/ATen.h>

#include <utility>

#include "ssd1b/error.h"

namespace ssd1b {
namespace {

constexpr std::int64_t kTimeIds = 6;  // original height and width, crop, target height and width

std::size_t prompts_of(const UNetBlockConfig& block) {
  return static_cast<std::size_t>(block.transformer_blocks());
}

TimestepEmbeddingConfig time_embedding_config(const UNetConfig& config) {
  TimestepEmbeddingConfig embedding;
  embedding.inputs = config.first_channels();
  embedding.outputs = config.time_width;
  embedding.condition_width = config.guidance_width;
  embedding.activation = config.activation;
  embedding.last_activation = config.time_activation;
  return embedding;
}

template <typename Append>
at::Tensor concat(const std::vector<const UNetConditioning*>& parts, Append tensor_of) {
  std::vector<at::Tensor> tensors;
  for (const UNetConditioning* part : parts) tensors.push_back(tensor_of(*part));
  return tensors.front().defined() ? at::cat(tensors) : at::Tensor();
}

}  // namespace

UNetConditioning concat_rows(const std::vector<const UNetConditioning*>& parts) {
  UNetConditioning all;
  for (std::size_t i = 0; i < parts.front()->prompt.size(); ++i) {
    all.prompt.push_back(
        {concat(parts, [i](const UNetConditioning& part) { return part.prompt[i].keys; }),
         concat(parts, [i](const UNetConditioning& part) { return part.prompt[i].values; })});
  }
  all.added_embedding = concat(parts, [](const auto& part) { return part.added_embedding; });
  all.guidance = concat(parts, [](const auto& part) { return part.guidance; });
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
  std::size_t prompts = 0;
  for (std::size_t i = 0; i < config.down_blocks.size(); ++i) {
    down_blocks.emplace_back(config, i, prompts);
    prompts += prompts_of(config.down_blocks[i]);
  }
  if (config.mid_block) {
    mid_block.emplace(config, prompts);
    prompts += prompts_of(*config.mid_block);
  }
  for (std::size_t i = 0; i < config.up_blocks.size(); ++i) {
    up_blocks.emplace_back(config, i, prompts);
    prompts += prompts_of(config.up_blocks[i]);
  }
}

UNetConditioning UNet::prepare(const UNetPrompt& prompt) const {
  UNetConditioning conditioning;
  const auto prepare_all = [&](const std::vector<Transformer>& attentions) {
    for (const Transformer& transformer : attentions) {
      transformer.prepare(prompt.embeddings, conditioning.prompt);
    }
  };
  for (const DownBlock& block : down_blocks) prepare_all(block.attentions);
  if (mid_block) prepare_all(mid_block->attentions);
  for (const UpBlock& block : up_blocks) prepare_all(block.attentions);

  const SinusoidConfig sizes{config.time_id_width, config.flip_sin_to_cos, config.freq_shift};
  const at::Tensor size_embeddings =
      sinusoids(prompt.time_ids.flatten(), sizes).reshape({prompt.pooled.size(0), -1});
  conditioning.added_embedding =
      add_embedding(at::cat({prompt.pooled, size_embeddings.to(prompt.pooled.scalar_type())}, -1));
  conditioning.guidance = prompt.guidance;
  return conditioning;
}

at::Tensor UNet::operator()(const UNetInput& input, const Tick& tick) const {
  const UNetConditioning& conditioning = input.conditioning;

  // 1. time
  const SinusoidConfig times{config.first_channels(), config.flip_sin_to_cos, config.freq_shift};
  const at::Tensor time = time_embedding(
      sinusoids(input.timesteps, times).to(input.latents.scalar_type()), conditioning.guidance);
  const at::Tensor both =
      activate(time + conditioning.added_embedding, config.added_time_activation);  // [B, T]
  const at::Tensor activated_time = activate(both, config.activation);
  const BlockInput block_input{activated_time, conditioning.prompt, tick};

  // 2. pre-process
  at::Tensor hidden = input.latents.contiguous(at::MemoryFormat::ChannelsLast);
  if (config.center_input_sample) hidden = 2.0 * hidden - 1.0;
  hidden = conv_in(hidden);
  std::vector<at::Tensor> skips{hidden};

  // 3. down
  for (const DownBlock& block : down_blocks) hidden = block(std::move(hidden), block_input, skips);

  // 4. mid
  if (mid_block) hidden = (*mid_block)(std::move(hidden), block_input);

  // 5. up
  for (const UpBlock& block : up_blocks) hidden = block(std::move(hidden), block_input, skips);

  // 6. post-process
  return conv_out(conv_norm_out.with(config.activation, hidden)).contiguous();
}

void visit_parameters(UNet& unet, const Scope& scope) {
  visit_parameters(unet.conv_in, scope / "conv_in");
  visit_parameters(unet.time_embedding, scope / "time_embedding");
  visit_parameters(unet.add_embedding, scope / "add_embedding");
  for (std::size_t i = 0; i < unet.down_blocks.size(); ++i) {
    visit_parameters(unet.down_blocks[i], scope / "down_blocks" / i);
  }
  for (std::size_t i = 0; i < unet.up_blocks.size(); ++i) {
    visit_parameters(unet.up_blocks[i], scope / "up_blocks" / i);
  }
  if (unet.mid_block) visit_parameters(*unet.mid_block, scope / "mid_block");
  visit_parameters(unet.conv_norm_out, scope / "conv_norm_out");
  visit_parameters(unet.conv_out, scope / "conv_out");
}

}  // namespace ssd1b
