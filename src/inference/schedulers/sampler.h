#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "inference/schedulers/scheduler.h"
#include "inference/schedulers/scheduler_config.h"

namespace ssd1b {

/// What every algorithm shares: the list of calls, the place in it, the latents. Factors are 0-dim
/// float32 CPU tensors as in diffusers, so that latents keep their dtype (half types too) and every
/// operation rounds as there.
class Sampler : public Scheduler {
 public:
  std::vector<double> timesteps() const final;
  std::optional<double> next_timestep() const final;
  void feed(const at::Tensor& model_output) final;
  const at::Tensor& latents() const final { return latents_; }
  const at::Tensor& denoised() const final { return denoised_.defined() ? denoised_ : latents_; }
  at::Tensor model_input() const final;

 protected:
  Sampler(const SchedulerConfig& config, const SchedulerStart& start)
      : config_(config), start_(start) {}

  /// Called at the end of an algorithm's constructor: the calls, how many of them a step takes, and
  /// the standard deviation of pure noise (0-dim; undefined: 1).
  void begin(std::vector<double> timesteps, int calls_per_step, const at::Tensor& noise_sigma);

  /// The latents after the call that is due, from the model's answer to it.
  virtual at::Tensor step(const at::Tensor& model_output) = 0;
  /// The picture's latents with the noise of the call that is due.
  virtual at::Tensor noised(const at::Tensor& image, const at::Tensor& noise) const = 0;
  /// What the model's input is divided by, 0-dim; undefined: nothing.
  virtual at::Tensor input_divisor() const { return {}; }

  std::size_t index() const { return index_; }  // of the call that is due
  std::size_t call_count() const { return timesteps_.size(); }
  double timestep(std::size_t at) const { return timesteps_[at]; }
  bool is_last() const { return index_ + 1 == timesteps_.size(); }
  at::Tensor draw(at::ScalarType dtype) const;
  /// Remembers the prediction of the clean latents, in the latents' dtype, and returns it as it is.
  at::Tensor predicted(at::Tensor original);
  /// The prediction limited as thresholding or clip_sample say.
  at::Tensor limited(const at::Tensor& original) const;

  const SchedulerConfig config_;

 private:
  SchedulerStart start_;
  std::vector<double> timesteps_;
  std::size_t index_ = 0;
  at::Tensor latents_;
  at::Tensor denoised_;
};

/// In the space of k-diffusion: latents = picture + sigma * noise, the model sees them divided by
/// sqrt(sigma^2 + 1).
class SigmaSampler : public Sampler {
 protected:
  using Sampler::Sampler;

  /// `sigmas` is float32, one for every call and one for the end.
  void begin_with_sigmas(std::vector<double> timesteps, at::Tensor sigmas, int calls_per_step);
  at::Tensor noised(const at::Tensor& image, const at::Tensor& noise) const override;
  at::Tensor input_divisor() const override;

  at::Tensor sigma(std::size_t at) const { return sigmas_[static_cast<std::int64_t>(at)]; }
  /// The noise level that the model's input has at the call that is due.
  virtual at::Tensor input_sigma() const { return sigma(index()); }
  /// The clean latents that the model's answer means at noise level `sigma`.
  at::Tensor original_of(const at::Tensor& sample, const at::Tensor& model_output,
                         const at::Tensor& sigma) const;

 private:
  at::Tensor sigmas_;
};

/// The same sigmas in the variance-preserving space: latents = alpha * picture + sigma_t * noise.
class SolverSampler : public Sampler {
 protected:
  using Sampler::Sampler;

  /// alpha, sigma and lambda = log(alpha / sigma) at one noise level; 0-dim float32.
  struct Level {
    at::Tensor alpha, sigma, lambda;
  };

  void begin_with_sigmas(std::vector<double> timesteps, at::Tensor sigmas);
  at::Tensor noised(const at::Tensor& image, const at::Tensor& noise) const override;

  /// The level that call `at` starts from.
  Level level(std::size_t at) const;
  /// The clean latents that the model's answer means at the call that is due.
  at::Tensor original_of(const at::Tensor& sample, const at::Tensor& model_output) const;
  at::Tensor epsilon_of(const at::Tensor& sample, const at::Tensor& model_output) const;

 private:
  at::Tensor sigmas_;
};

/// By timestep: latents = sqrt(a) * picture + sqrt(1 - a) * noise with a from alphas_cumprod.
class TimestepSampler : public Sampler {
 protected:
  TimestepSampler(const SchedulerConfig& config, const SchedulerStart& start);

  void begin_with_timesteps(std::vector<double> timesteps);
  at::Tensor noised(const at::Tensor& image, const at::Tensor& noise) const override;

  /// alphas_cumprod at a whole timestep, 0-dim; below zero: that of the clean picture.
  at::Tensor alpha_product(double timestep) const;
  /// The same below zero as Python indexes: from the end.
  at::Tensor table_entry(double timestep) const;
  /// The clean latents that the model's answer means at product `alpha`, not limited.
  at::Tensor original_of(const at::Tensor& sample, const at::Tensor& model_output,
                         const at::Tensor& alpha) const;
  at::Tensor epsilon_of(const at::Tensor& sample, const at::Tensor& model_output,
                        const at::Tensor& original, const at::Tensor& alpha) const;

 private:
  at::Tensor alphas_cumprod_;
};

}  // namespace ssd1b
