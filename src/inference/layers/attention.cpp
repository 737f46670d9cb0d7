#include "inference/layers/attention.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>

#include "inference/layers/cuda_kernels.h"

namespace ssd1b {
namespace {

at::Tensor split_heads(const at::Tensor& hidden, std::int64_t heads) {
  return hidden.unflatten(-1, {heads, -1}).transpose(1, 2);  // [B, heads, T, D / heads]
}

constexpr std::int64_t kWidestFused = 256;  // head of flash attention and of cuDNN's

/// One head that is too wide for the fast kernels of libtorch, as the VAE's, in half precision on a
/// GPU: two products and a softmax take less than half of what its slow kernel takes.
bool is_faster_in_products(const at::Tensor& query, const at::Tensor& key, std::int64_t heads) {
  return heads == 1 && query.size(-1) > kWidestFused && query.scalar_type() != at::kFloat &&
         can_cuda_softmax(query, key.size(1));
}

/// attend with one head: scores of some queries at a time, in float32.
at::Tensor attend_in_products(const at::Tensor& query, const at::Tensor& key,
                              const at::Tensor& value) {
  // 256 MiB: SSD-1B's VAE takes more for its largest pictures.
  constexpr std::int64_t most_scores = 1 << 26;
  // Of the shares of a query: one of 16,384 would have few digits in float16.
  constexpr double total = 256.0;
  const double scale = 1.0 / std::sqrt(static_cast<double>(query.size(-1)));
  const std::int64_t queries = query.size(1);
  const std::int64_t at_once = std::max<std::int64_t>(1, most_scores / key.size(1));
  at::Tensor attended = at::empty(query.sizes(), query.options());
  for (std::int64_t i = 0; i < query.size(0); ++i) {
    const at::Tensor keys = key[i].t();
    for (std::int64_t first = 0; first < queries; first += at_once) {
      const std::int64_t count = std::min(at_once, queries - first);
      const at::Tensor scores = at::mm(query[i].narrow(0, first, count), keys, at::kFloat);
      const at::Tensor shares = cuda_softmax(scores, scale, total, query.scalar_type()).value();
      attended[i].narrow(0, first, count).addmm_(shares, value[i], /*beta=*/0.0, 1.0 / total);
    }
  }
  return attended;
}

}  // namespace

at::Tensor attend(const at::Tensor& query, const at::Tensor& key, const at::Tensor& value,
                  std::int64_t heads, Mask mask) {
  if (mask == Mask::None && is_faster_in_products(query, key, heads)) {
    return attend_in_products(query, key, value);
  }
  const at::Tensor attended = at::scaled_dot_product_attention(
      split_heads(query, heads), split_heads(key, heads), split_heads(value, heads),
      /*attn_mask=*/{}, /*dropout_p=*/0.0, /*is_causal=*/mask == Mask::Causal);
  return attended.transpose(1, 2).flatten(2);  // [B, T, D]
}

QkvProjection::QkvProjection(std::int64_t inputs, std::int64_t outputs, Bias with_bias)
    : query(inputs, outputs, with_bias),
      key(inputs, outputs, with_bias),
      value(inputs, outputs, with_bias),
      all(inputs, 3 * outputs, with_bias) {}

std::array<at::Tensor, 3> QkvProjection::operator()(const at::Tensor& hidden) const {
  const std::vector<at::Tensor> parts = all(hidden).chunk(3, -1);  // each [B, T, outputs]
  return {parts[0], parts[1], parts[2]};
}

void visit_parameters(QkvProjection& projection, const Scope& scope,
                      const std::array<const char*, 3>& names) {
  auto& [query, key, value, all] = projection;
  scope.stack(all.weight, {&query.weight, &key.weight, &value.weight});
  if (all.bias) scope.stack(*all.bias, {&*query.bias, &*key.bias, &*value.bias});
  visit_parameters(query, scope / names[0]);
  visit_parameters(key, scope / names[1]);
  visit_parameters(value, scope / names[2]);
}

SelfAttention::SelfAttention(const AttentionConfig& config)
    : to_qkv(config.width, config.inner_width, config.qkv_bias),
      to_out(config.inner_width, config.width),
      heads(config.heads) {}

at::Tensor SelfAttention::operator()(const at::Tensor& hidden) const {
  const auto [query, key, value] = to_qkv(hidden);
  return to_out(attend(query, key, value, heads));
}

CrossAttention::CrossAttention(const AttentionConfig& config)
    : to_q(config.width, config.inner_width, config.qkv_bias),
      to_k(config.context_width, config.inner_width, config.qkv_bias),
      to_v(config.context_width, config.inner_width, config.qkv_bias),
      to_out(config.inner_width, config.width),
      heads(config.heads) {}

KeysValues CrossAttention::prepare(const at::Tensor& embeddings) const {
  return {to_k(embeddings), to_v(embeddings)};
}

at::Tensor CrossAttention::operator()(const at::Tensor& hidden, const KeysValues& prompt) const {
  return to_out(attend(to_q(hidden), prompt.keys, prompt.values, heads));
}

void visit_parameters(SelfAttention& attention, const Scope& scope) {
  visit_parameters(attention.to_qkv, scope, {"to_q", "to_k", "to_v"});
  visit_parameters(attention.to_out, scope / "to_out" / 0);
}

void visit_parameters(CrossAttention& attention, const Scope& scope) {
  visit_parameters(attention.to_q, scope / "to_q");
  visit_parameters(attention.to_k, scope / "to_k");
  visit_parameters(attention.to_v, scope / "to_v");
  visit_parameters(attention.to_out, scope / "to_out" / 0);
}

}  // namespace ssd1b
