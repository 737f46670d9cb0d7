#include "inference/unet/timestep_embedding.h"

#include <ATen/ATen.h>

#include <cmath>

namespace ssd1b {
namespace {

constexpr double kMaxPeriod = 10000.0;

}  // namespace

at::Tensor sinusoids(const at::Tensor& values, const SinusoidConfig& config) {
  const std::int64_t half = config.width / 2;
  const auto options = values.options().dtype(at::kFloat);
  const at::Tensor exponent = -std::log(kMaxPeriod) * at::arange(half, options);
  const at::Tensor frequencies = at::exp(exponent / (half - config.freq_shift));  // [half]
  const at::Tensor angles = values.to(at::kFloat).unsqueeze(1) * frequencies;     // [N, half]
  const at::Tensor sines = at::sin(angles);
  const at::Tensor cosines = at::cos(angles);
  const at::Tensor both =
      config.flip_sin_to_cos ? at::cat({cosines, sines}, -1) : at::cat({sines, cosines}, -1);
  return config.width % 2 == 0 ? both : at::constant_pad_nd(both, {0, 1});  // [N, width]
}

at::Tensor guidance_sinusoids(double guidance_scale, std::int64_t width) {
  const std::int64_t half = width / 2;
  const at::Tensor weight = at::full({1}, guidance_scale - 1.0, at::kFloat) * 1000.0;
  const at::Tensor step = at::log(at::scalar_tensor(kMaxPeriod, at::kFloat)) / (half - 1);
  const at::Tensor frequencies = at::exp(at::arange(half, at::kFloat) * -step);
  const at::Tensor angles = weight.unsqueeze(1) * frequencies;  // [1, half]
  const at::Tensor both = at::cat({at::sin(angles), at::cos(angles)}, 1);
  return width % 2 == 0 ? both : at::constant_pad_nd(both, {0, 1});
}

TimestepEmbedding::TimestepEmbedding(const TimestepEmbeddingConfig& config)
    : linear_1(config.inputs, config.outputs),
      linear_2(config.outputs, config.outputs),
      activation(config.activation),
      last_activation(config.last_activation) {
  if (config.condition_width > 0) {
    cond_proj.emplace(config.condition_width, config.inputs, Bias::No);
  }
}

at::Tensor TimestepEmbedding::operator()(const at::Tensor& input,
                                         const at::Tensor& condition) const {
  const at::Tensor hidden = linear_1(cond_proj ? input + (*cond_proj)(condition) : input);
  return activate(linear_2(activate(hidden, activation)), last_activation);
}

void visit_parameters(TimestepEmbedding& embedding, const Scope& scope) {
  if (embedding.cond_proj) visit_parameters(*embedding.cond_proj, scope / "cond_proj");
  visit_parameters(embedding.linear_1, scope / "linear_1");
  visit_parameters(embedding.linear_2, scope / "linear_2");
}

}  // namespace ssd1b
