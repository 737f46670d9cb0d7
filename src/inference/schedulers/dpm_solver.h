#pragma once

#include <ATen/core/Tensor.h>

#include "inference/schedulers/sampler.h"
#include "inference/schedulers/scheduler_config.h"

namespace ssd1b {

/// What the two DPM-Solver classes share: which predictions they integrate, and the factors.
class DpmSampler : public SolverSampler {
 protected:
  using SolverSampler::SolverSampler;

  /// One step over h = lambda(to) - lambda(from), 0-dim float32: the mean is kept * sample +
  /// zeroth * D0 + first * D1 + second * D2, where D0, D1, D2 are a prediction and its differences.
  struct Step {
    at::Tensor h;
    at::Tensor kept;    // of the sample
    at::Tensor zeroth;  // of the prediction
    at::Tensor first;   // of its first difference (solver type heun)
    at::Tensor second;  // of its second difference
    at::Tensor noise;   // standard deviation of what is added; undefined: nothing is
  };

  Step step_between(const Level& from, const Level& to) const;
  /// What the algorithm integrates, of the model's answer: the clean latents or the noise.
  at::Tensor prediction_of(const at::Tensor& model_output);
};

/// How many of the noisiest training timesteps lie below lambda_min_clipped.
int timesteps_clipped(const SchedulerConfig& config, const at::Tensor& alphas_cumprod);

}  // namespace ssd1b
