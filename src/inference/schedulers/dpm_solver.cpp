#include "inference/schedulers/dpm_solver.h"

#include <ATen/ATen.h>

namespace ssd1b {

DpmSampler::Step DpmSampler::step_between(const Level& from, const Level& to) const {
  Step step;
  step.h = to.lambda - from.lambda;
  if (config_.algorithm == SolverAlgorithm::SdeDpmSolverPlus) {
    // In `second` the sign of 0.5 is diffusers' own, not the deterministic factor's.
    const at::Tensor share = (-2.0 * step.h).exp();
    step.kept = to.sigma / from.sigma * (-step.h).exp();
    step.zeroth = to.alpha * (1.0 - share);
    step.first = to.alpha * ((1.0 - share) / (-2.0 * step.h) + 1.0);
    step.second = to.alpha * ((1.0 - share - 2.0 * step.h) / (2.0 * step.h).pow(2) - 0.5);
    step.noise = to.sigma * (1.0 - share).sqrt();
    return step;
  }
  // Integrals over the noise are those over the clean latents with alpha and sigma exchanged.
  const bool of_noise = integrates_noise(config_.algorithm);
  const at::Tensor h = of_noise ? -step.h : step.h;
  at::Tensor factor = of_noise ? to.sigma : to.alpha;
  step.kept = of_noise ? to.alpha / from.alpha : to.sigma / from.sigma;
  if (config_.algorithm == SolverAlgorithm::SdeDpmSolver) {
    factor = 2.0 * factor;
    step.noise = to.sigma * ((2.0 * step.h).exp() - 1.0).sqrt();
  }
  const at::Tensor fall = (-h).exp() - 1.0;
  step.zeroth = -(factor * fall);
  step.first = factor * (fall / h + 1.0);
  step.second = -(factor * ((fall + h) / h.pow(2) - 0.5));
  return step;
}

at::Tensor DpmSampler::prediction_of(const at::Tensor& model_output) {
  const at::Tensor original = predicted(original_of(latents(), model_output));
  if (!integrates_noise(config_.algorithm)) return original;
  if (!config_.thresholding) return epsilon_of(latents(), model_output);
  const Level now = level(index());
  return (latents() - now.alpha * original) / now.sigma;
}

int timesteps_clipped(const SchedulerConfig& config, const at::Tensor& alphas_cumprod) {
  const at::Tensor lambda =
      alphas_cumprod.sqrt().log() - (1.0 - alphas_cumprod).sqrt().log();  // falling
  return lambda.lt(config.lambda_min_clipped).sum().item<int>();
}

}  // namespace ssd1b
