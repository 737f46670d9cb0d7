#include <ATen/ATen.h>

#include <cmath>

#include "inference/schedulers/algorithms.h"
#include "inference/schedulers/noise_schedule.h"
#include "inference/schedulers/sampler.h"
#include "inference/schedulers/sigma_curve.h"
#include "inference/schedulers/timestep_spacing.h"

namespace ssd1b {
namespace {

/// Timesteps in the middle of every step, geometrically between the sigmas, after each step's own.
std::vector<double> with_midpoints(const SpacedSigmas& spaced, const SigmaCurve& curve) {
  std::vector<double> timesteps;
  for (std::size_t i = 0; i < spaced.timesteps.size(); ++i) {
    timesteps.push_back(spaced.timesteps[i]);
    if (i + 1 == spaced.timesteps.size()) break;
    const double from = -std::log(spaced.sigmas[i]);
    const double width = -std::log(spaced.sigmas[i + 1]) - from;
    timesteps.push_back(curve.timestep_of(std::exp(-(from + width * 0.5))));
  }
  return timesteps;
}

/// diffusers' DPMSolverSDEScheduler: a stochastic midpoint step in log(sigma). Its noise is a
/// Brownian motion over sigma; here its increments are drawn one after another, which is the law of
/// torchsde's tree without the tree.
class DpmSde final : public SigmaSampler {
 public:
  DpmSde(const SchedulerConfig& config, const SchedulerStart& start) : SigmaSampler(config, start) {
    const SigmaCurve curve(alphas_cumprod(config_, ZeroSignal::Kept));
    const SpacedSigmas spaced =
        spaced_sigmas(config_, curve, spaced_timesteps(config_, start.steps), start.steps);
    std::vector<double> sigmas = spaced.sigmas;
    sigmas.push_back(0.0);
    const at::Tensor table = sigma_tensor(sigmas);
    begin_with_sigmas(with_midpoints(spaced, curve),
                      at::cat({table.slice(0, 0, 1), table.slice(0, 1, -1).repeat_interleave(2),
                               table.slice(0, -1)}),
                      /*calls_per_step=*/2);
  }

 private:
  at::Tensor input_sigma() const override {
    return start_.defined() ? middle_sigma_ : sigma(index());
  }

  at::Tensor step(const at::Tensor& model_output) override {
    const bool is_second = start_.defined();
    const at::Tensor from = sigma(is_second ? index() - 1 : index());
    const at::Tensor to = sigma(is_second ? index() : index() + 1);
    const at::Tensor t = -from.log();
    const at::Tensor t_next = -to.log();
    const at::Tensor t_middle = t + (t_next - t) * 0.5;
    const at::Tensor original =
        predicted(original_of(latents(), model_output, is_second ? (-t_middle).exp() : from));
    if (is_last()) {
      const at::Tensor slope = (latents() - original) / from;
      return latents() + slope * (to - from);
    }
    const at::Tensor sample = is_second ? start_ : latents();
    const at::Tensor next = moved(sample, original, t, is_second ? t_next : t_middle);
    start_ = is_second ? at::Tensor() : sample;
    middle_sigma_ = is_second ? at::Tensor() : (-t_middle).exp();
    return next;
  }

  /// From t to t_next (t = -log(sigma)): below the aim, then noise up to it.
  at::Tensor moved(const at::Tensor& sample, const at::Tensor& original, const at::Tensor& t,
                   const at::Tensor& t_next) {
    const at::Tensor from = (-t).exp();
    const at::Tensor to = (-t_next).exp();
    const at::Tensor up =
        at::minimum(to, (to.pow(2) * (from.pow(2) - to.pow(2)) / from.pow(2)).sqrt());
    const at::Tensor down = (to.pow(2) - up.pow(2)).sqrt();
    const at::Tensor t_down = -down.log();
    const at::Tensor mean = ((-t_down).exp() / from) * sample - (t - t_down).expm1() * original;
    return mean + brownian(from, to) * up;
  }

  /// The motion from `from` down to `to`, of unit variance. A step's second call goes on from where
  /// its first one ended: the whole increment contains the first.
  at::Tensor brownian(const at::Tensor& from, const at::Tensor& to) {
    const at::Tensor fresh = draw(latents().scalar_type());
    if (!start_.defined()) {
      increment_ = fresh * (from - to).abs().sqrt();
      return fresh;
    }
    const at::Tensor whole = increment_ + fresh * (middle_sigma_ - to).abs().sqrt();
    return whole / (from - to).abs().sqrt();
  }

  at::Tensor start_;         // of the step that is half done; undefined: none is
  at::Tensor middle_sigma_;  // where the first call led
  at::Tensor increment_;     // of the motion, on the way there
};

}  // namespace

std::unique_ptr<Scheduler> make_dpm_sde(const SchedulerConfig& config,
                                        const SchedulerStart& start) {
  return std::make_unique<DpmSde>(config, start);
}

}  // namespace ssd1b
