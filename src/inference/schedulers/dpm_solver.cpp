#include "inference/schedulers/dpm_solver.h"

#include <ATen/ATen.h>

namespace ssd1b {

SolverFactors solver_factors(const at::Tensor& alpha_to, const at::Tensor& h, bool is_stochastic) {
  SolverFactors factors;
  if (is_stochastic) {
    // In `second` the sign of 0.5 is diffusers' own, not the deterministic factor's.
    const at::Tensor share = (-2.0 * h).exp();
    factors.kept = (-h).exp();
    factors.zeroth = alpha_to * (1.0 - share);
    factors.first = alpha_to * ((1.0 - share) / (-2.0 * h) + 1.0);
    factors.second = alpha_to * ((1.0 - share - 2.0 * h) / (2.0 * h).pow(2) - 0.5);
    return factors;
  }
  const at::Tensor fall = (-h).exp() - 1.0;
  factors.kept = at::ones_like(h);
  factors.zeroth = -(alpha_to * fall);
  factors.first = alpha_to * (fall / h + 1.0);
  factors.second = -(alpha_to * ((fall + h) / h.pow(2) - 0.5));
  return factors;
}

int timesteps_clipped(const SchedulerConfig& config, const at::Tensor& alphas_cumprod) {
  const at::Tensor lambda =
      alphas_cumprod.sqrt().log() - (1.0 - alphas_cumprod).sqrt().log();  // falling
  return lambda.lt(config.lambda_min_clipped).sum().item<int>();
}

}  // namespace ssd1b
