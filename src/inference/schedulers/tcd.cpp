#include <ATen/ATen.h>

#include "inference/schedulers/algorithms.h"
#include "inference/schedulers/sampler.h"
#include "inference/schedulers/timestep_spacing.h"

namespace ssd1b {
namespace {

/// diffusers' TCDScheduler with eta 0, as its pipelines call it: no noise is added.
class Tcd final : public TimestepSampler {
 public:
  Tcd(const SchedulerConfig& config, const SchedulerStart& start) : TimestepSampler(config, start) {
    begin_with_timesteps(distilled_timesteps(config_, start.steps));
  }

 private:
  at::Tensor step(const at::Tensor& model_output) override {
    const at::Tensor alpha = table_entry(timestep(index()));
    const at::Tensor alpha_next = table_entry(is_last() ? 0.0 : timestep(index() + 1));
    const at::Tensor original = predicted(original_of(latents(), model_output, alpha));
    const at::Tensor epsilon = epsilon_of(latents(), model_output, original, alpha);
    return alpha_next.sqrt() * original + (1 - alpha_next).sqrt() * epsilon;
  }
};

}  // namespace

std::unique_ptr<Scheduler> make_tcd(const SchedulerConfig& config, const SchedulerStart& start) {
  return std::make_unique<Tcd>(config, start);
}

}  // namespace ssd1b
