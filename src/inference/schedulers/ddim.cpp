#include <ATen/ATen.h>

#include "inference/schedulers/algorithms.h"
#include "inference/schedulers/sampler.h"
#include "inference/schedulers/timestep_spacing.h"

namespace ssd1b {
namespace {

/// diffusers' DDIMScheduler with eta 0, as its pipelines call it.
class Ddim final : public TimestepSampler {
 public:
  Ddim(const SchedulerConfig& config, const SchedulerStart& start)
      : TimestepSampler(config, start), stride_(config.num_train_timesteps / start.steps) {
    begin_with_timesteps(rounded(spaced_timesteps(config_, start.steps)));
  }

 private:
  at::Tensor step(const at::Tensor& model_output) override {
    const double now = timestep(index());
    const at::Tensor alpha = table_entry(now);
    const at::Tensor alpha_next = alpha_product(now - stride_);
    const at::Tensor unlimited = original_of(latents(), model_output, alpha);
    const at::Tensor epsilon = epsilon_of(latents(), model_output, unlimited, alpha);
    const at::Tensor original = predicted(limited(unlimited));
    return alpha_next.sqrt() * original + (1 - alpha_next).sqrt() * epsilon;
  }

  const int stride_;  // training timesteps a step
};

}  // namespace

std::unique_ptr<Scheduler> make_ddim(const SchedulerConfig& config, const SchedulerStart& start) {
  return std::make_unique<Ddim>(config, start);
}

}  // namespace ssd1b
