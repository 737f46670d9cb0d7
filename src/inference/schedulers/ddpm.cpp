#include <ATen/ATen.h>

#include "inference/schedulers/algorithms.h"
#include "inference/schedulers/sampler.h"
#include "inference/schedulers/timestep_spacing.h"

namespace ssd1b {
namespace {

constexpr double kSmallestVariance = 1e-20;

/// diffusers' DDPMScheduler: the posterior's mean, then noise of its variance.
class Ddpm final : public TimestepSampler {
 public:
  Ddpm(const SchedulerConfig& config, const SchedulerStart& start)
      : TimestepSampler(config, start) {
    begin_with_timesteps(rounded(spaced_timesteps(config_, start.steps)));
  }

 private:
  at::Tensor step(const at::Tensor& model_output) override {
    const at::Tensor alpha = table_entry(timestep(index()));
    const bool ends = is_last() || timestep(index() + 1) < 0.0;
    const at::Tensor alpha_next =
        ends ? at::scalar_tensor(1.0, at::kFloat) : table_entry(timestep(index() + 1));
    const at::Tensor ratio = alpha / alpha_next;
    const at::Tensor beta = 1 - ratio;
    const at::Tensor original = predicted(limited(original_of(latents(), model_output, alpha)));
    const at::Tensor of_original = (alpha_next.sqrt() * beta) / (1 - alpha);
    const at::Tensor of_sample = ratio.sqrt() * (1 - alpha_next) / (1 - alpha);
    const at::Tensor mean = of_original * original + of_sample * latents();
    if (timestep(index()) <= 0.0) return mean;
    return mean + deviation((1 - alpha_next) / (1 - alpha) * beta, beta) *
                      draw(model_output.scalar_type());
  }

  /// The standard deviation of the noise, as diffusers has it of each variance_type.
  at::Tensor deviation(const at::Tensor& variance, const at::Tensor& beta) const {
    switch (config_.variance_type) {
      case VarianceType::FixedSmall:
        return variance.clamp_min(kSmallestVariance).sqrt();
      case VarianceType::FixedSmallLog:
        return (0.5 * variance.clamp_min(kSmallestVariance).log()).exp();
      case VarianceType::FixedLarge:
        return beta.sqrt();
      case VarianceType::FixedLargeLog:
        break;
    }
    return beta.log().sqrt();  // the root of a negative number, as in diffusers: never finite
  }
};

}  // namespace

std::unique_ptr<Scheduler> make_ddpm(const SchedulerConfig& config, const SchedulerStart& start) {
  return std::make_unique<Ddpm>(config, start);
}

}  // namespace ssd1b
