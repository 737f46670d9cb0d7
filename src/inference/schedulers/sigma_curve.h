#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "inference/schedulers/scheduler_config.h"

namespace ssd1b {

/// Noise levels of the training timesteps: sigma = sqrt((1 - a) / a), where a is alphas_cumprod.
class SigmaCurve {
 public:
  explicit SigmaCurve(const at::Tensor& alphas_cumprod);

  double lowest() const { return sigmas_.front(); }  // of timestep 0
  double highest() const { return sigmas_.back(); }  // of the last timestep
  /// Sigma at a timestep, between two by linear interpolation, outside as at the ends.
  double at(double timestep) const;
  std::vector<double> at(const std::vector<double>& timesteps) const;
  /// The (fractional) timestep of a sigma, between two linear in the logarithm.
  double timestep_of(double sigma) const;
  std::vector<double> timesteps_of(const std::vector<double>& sigmas) const;
  /// The same in float32 arithmetic.
  float timestep_of_float32(float sigma) const;

 private:
  template <typename Number>
  Number find_timestep(Number log_sigma) const;

  std::vector<float> sigmas_;
  std::vector<float> log_sigmas_;
};

/// `count` noise levels of a kind that is not Plain, falling from `highest` to `lowest`.
std::vector<double> spread_sigmas(SigmaKind kind, double highest, double lowest, int count);

/// Timesteps of a schedule and the noise level of each, before any end is added.
struct SpacedSigmas {
  std::vector<double> timesteps, sigmas;
};

/// As Heun, LMS and the DPM2 kin choose them: the timesteps' sigmas, or those of another kind
/// spread between the first and the last of them.
SpacedSigmas spaced_sigmas(const SchedulerConfig& config, const SigmaCurve& curve,
                           std::vector<double> timesteps, int steps);

/// As the solvers (DPM++, UniPC, DEIS) choose them: another kind is spread over the whole curve.
/// The timesteps of other kinds are not whole yet.
SpacedSigmas solver_sigmas(const SchedulerConfig& config, const SigmaCurve& curve,
                           std::vector<double> timesteps, int steps);

/// Sigmas as the schedulers step through them: float32, [count].
at::Tensor sigma_tensor(const std::vector<double>& sigmas);

}  // namespace ssd1b
