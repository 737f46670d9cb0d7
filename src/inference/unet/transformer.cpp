#include "inference/unet/transformer.h"

#include <ATen/ATen.h>

#include "inference/layers/cuda_kernels.h"
#include "inference/layers/onednn.h"

namespace ssd1b {
namespace {

constexpr double kLayerNormEps = 1e-5;    // BasicTransformerBlock's; no config sets it
constexpr double kGroupNormEps = 1e-6;    // Transformer2DModel's; no config sets it
constexpr std::int64_t kFeedForward = 4;  // times as wide as the block

std::variant<Linear, Conv2d> projection(std::int64_t inputs, std::int64_t outputs, bool is_linear) {
  if (is_linear) return Linear(inputs, outputs);
  return Conv2d(same_size_conv(inputs, outputs, /*kernel=*/1));
}

at::Tensor to_tokens(const at::Tensor& pixels) {
  return pixels.permute({0, 2, 3, 1}).flatten(1, 2);  // [B, h w, C]
}

at::Tensor to_pixels(const at::Tensor& tokens, std::int64_t height, std::int64_t width) {
  return tokens.unflatten(1, {height, width}).permute({0, 3, 1, 2});  // [B, C, h, w]
}

at::Tensor project_to_tokens(const at::Tensor& pixels,
                             const std::variant<Linear, Conv2d>& product) {
  if (const auto* linear = std::get_if<Linear>(&product)) return (*linear)(to_tokens(pixels));
  return to_tokens(std::get<Conv2d>(product)(pixels));
}

at::Tensor project_to_pixels(const at::Tensor& tokens, const std::variant<Linear, Conv2d>& product,
                             std::int64_t height, std::int64_t width) {
  if (const auto* linear = std::get_if<Linear>(&product)) {
    return to_pixels((*linear)(tokens), height, width);
  }
  return std::get<Conv2d>(product)(to_pixels(tokens, height, width));
}

}  // namespace

FeedForward::FeedForward(std::int64_t width)
    : proj_in(width, 2 * kFeedForward * width), proj_out(kFeedForward * width, width) {
  proj_in.weight.use = ParameterUse::Gated;
}

at::Tensor FeedForward::operator()(const at::Tensor& hidden) const {
  if (const std::vector<at::Tensor>& halves = proj_in.weight.arranged; !halves.empty()) {
    const std::vector<at::Tensor> biases = proj_in.bias->value.chunk(2);
    const at::Tensor gates = onednn_linear_gelu(hidden, halves[1], biases[1]);
    return proj_out(onednn_linear_times(hidden, halves[0], biases[0], gates));
  }
  const at::Tensor both = proj_in(hidden);  // [B, T, 8 width]
  if (const auto gated = cuda_geglu(both)) return proj_out(*gated);
  const std::vector<at::Tensor> halves = both.chunk(2, -1);  // values, gates
  return proj_out(at::gelu(halves[1]).mul_(halves[0]));
}

TransformerBlock::TransformerBlock(const AttentionConfig& config)
    : norm1(config.width, kLayerNormEps),
      norm2(config.width, kLayerNormEps),
      norm3(config.width, kLayerNormEps),
      attn1(config),
      attn2(config),
      ff(config.width) {}

at::Tensor TransformerBlock::operator()(const at::Tensor& stream, const at::Tensor& before,
                                        const KeysValues& prompt) const {
  const std::int64_t without = stream.size(0) - prompt.keys.size(0);
  const at::Tensor attended = attn1(norm1.after_adding(stream, {before, {}}));
  const at::Tensor prompted = norm2.after_adding(stream, {attended, {}}, without);
  // Attention to keys and values of zeros is zero, of which the last product makes its bias.
  const Addition second{attn2(prompted, prompt), attn2.to_out.bias->value};
  return ff(norm3.after_adding(stream, second));
}

Transformer::Transformer(const TransformerConfig& config)
    : norm(config.norm_groups, config.channels, kGroupNormEps),
      proj_in(projection(config.channels, config.inner_width, config.use_linear_projection)),
      proj_out(projection(config.inner_width, config.channels, config.use_linear_projection)) {
  AttentionConfig attention;
  attention.width = config.inner_width;
  attention.heads = config.heads;
  attention.inner_width = attention.width;
  attention.context_width = config.cross_attention_width;
  transformer_blocks.reserve(config.depth);
  for (std::int64_t i = 0; i < config.depth; ++i) transformer_blocks.emplace_back(attention);
}

at::Tensor Transformer::operator()(const at::Tensor& hidden, const KeysValues* prompts) const {
  const std::int64_t height = hidden.size(2);
  const std::int64_t width = hidden.size(3);
  const at::Tensor stream = project_to_tokens(norm(hidden), proj_in);  // [B, h w, D]
  at::Tensor last;
  for (const TransformerBlock& block : transformer_blocks) last = block(stream, last, *prompts++);
  if (last.defined()) stream.add_(last);
  return project_to_pixels(stream, proj_out, height, width).add_(hidden);
}

void Transformer::prepare(const at::Tensor& embeddings, std::vector<KeysValues>& prompts) const {
  for (const TransformerBlock& block : transformer_blocks) {
    prompts.push_back(block.attn2.prepare(embeddings));
  }
}

void visit_parameters(FeedForward& feed_forward, const Scope& scope) {
  visit_parameters(feed_forward.proj_in, scope / "net" / 0 / "proj");
  visit_parameters(feed_forward.proj_out, scope / "net" / 2);
}

void visit_parameters(TransformerBlock& block, const Scope& scope) {
  visit_parameters(block.norm1, scope / "norm1");
  visit_parameters(block.attn1, scope / "attn1");
  visit_parameters(block.norm2, scope / "norm2");
  visit_parameters(block.attn2, scope / "attn2");
  visit_parameters(block.norm3, scope / "norm3");
  visit_parameters(block.ff, scope / "ff");
}

void visit_parameters(Transformer& transformer, const Scope& scope) {
  const auto visit = [](auto& projection, const Scope& place) {
    std::visit([&](auto& product) { visit_parameters(product, place); }, projection);
  };
  visit_parameters(transformer.norm, scope / "norm");
  visit(transformer.proj_in, scope / "proj_in");
  visit_parameters(transformer.transformer_blocks, scope / "transformer_blocks");
  visit(transformer.proj_out, scope / "proj_out");
}

}  // namespace ssd1b
