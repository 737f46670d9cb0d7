#pragma once

#include <ATen/core/Tensor.h>

#include "inference/schedulers/scheduler_config.h"

namespace ssd1b {

/// Factors of one DPM-Solver++ step over h = lambda(to) - lambda(from), 0-dim float32: the mean is
/// sigma(to) / sigma(from) * kept * sample + zeroth * D0 + first * D1 + second * D2.
struct SolverFactors {
  at::Tensor kept;    // 1, or exp(-h) where noise is added
  at::Tensor zeroth;  // of the prediction
  at::Tensor first;   // of its first difference (solver type heun)
  at::Tensor second;  // of its second difference
};

SolverFactors solver_factors(const at::Tensor& alpha_to, const at::Tensor& h, bool is_stochastic);

/// How many of the noisiest training timesteps lie below lambda_min_clipped.
int timesteps_clipped(const SchedulerConfig& config, const at::Tensor& alphas_cumprod);

}  // namespace ssd1b
