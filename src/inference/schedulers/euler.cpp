#include <ATen/ATen.h>

#include <cmath>
#include <utility>

#include "inference/schedulers/algorithms.h"
#include "inference/schedulers/noise_schedule.h"
#include "inference/schedulers/sampler.h"
#include "inference/schedulers/sigma_curve.h"
#include "inference/schedulers/timestep_spacing.h"

namespace ssd1b {
namespace {

/// Even in log(sigma) over the whole curve: one more than `steps`, in float32 as in diffusers.
std::vector<double> log_linear(const SigmaCurve& curve, int steps) {
  const at::Tensor logs =
      at::linspace(std::log(static_cast<float>(curve.highest())),
                   std::log(static_cast<float>(curve.lowest())), steps + 1, at::kFloat);
  const at::Tensor sigmas = logs.exp().to(at::kDouble);
  return {sigmas.const_data_ptr<double>(), sigmas.const_data_ptr<double>() + sigmas.numel()};
}

/// diffusers' EulerDiscreteScheduler without churn: one explicit step of the probability flow.
class Euler final : public SigmaSampler {
 public:
  Euler(const SchedulerConfig& config, const SchedulerStart& start) : SigmaSampler(config, start) {
    const SigmaCurve curve(alphas_cumprod(config_, ZeroSignal::Bounded));
    std::vector<double> timesteps = as_float32(spaced_timesteps(config_, start.steps));
    std::vector<double> sigmas =
        config_.log_linear_interpolation ? log_linear(curve, start.steps) : curve.at(timesteps);
    if (config_.sigma_kind != SigmaKind::Plain) {
      sigmas = spread_sigmas(config_.sigma_kind, config_.sigma_max.value_or(sigmas.front()),
                             config_.sigma_min.value_or(sigmas.back()), start.steps);
      timesteps = as_float32(curve.timesteps_of(sigmas));
    }
    sigmas.push_back(config_.final_sigma == FinalSigma::Zero ? 0.0 : curve.lowest());
    at::Tensor table = sigma_tensor(sigmas);
    if (config_.has_timesteps_of_sigmas()) {
      const at::Tensor logs = 0.25 * table.slice(0, 0, -1).log();
      timesteps.resize(static_cast<std::size_t>(logs.numel()));
      for (std::size_t i = 0; i < timesteps.size(); ++i) {
        timesteps[i] = logs[static_cast<std::int64_t>(i)].item<double>();
      }
    }
    begin_with_sigmas(std::move(timesteps), std::move(table), /*calls_per_step=*/1);
  }

 private:
  at::Tensor step(const at::Tensor& model_output) override {
    const at::Tensor sample = latents().to(at::kFloat);
    const at::Tensor now = sigma(index());
    const at::Tensor original = predicted(original_of(sample, model_output, now));
    const at::Tensor derivative = (sample - original) / now;
    return (sample + derivative * (sigma(index() + 1) - now)).to(model_output.scalar_type());
  }
};

}  // namespace

std::unique_ptr<Scheduler> make_euler(const SchedulerConfig& config, const SchedulerStart& start) {
  return std::make_unique<Euler>(config, start);
}

}  // namespace ssd1b
