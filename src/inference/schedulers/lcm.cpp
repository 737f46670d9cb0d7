#include <ATen/ATen.h>

#include "inference/schedulers/algorithms.h"
#include "inference/schedulers/sampler.h"
#include "inference/schedulers/timestep_spacing.h"

namespace ssd1b {
namespace {

constexpr double kSigmaData = 0.5;

/// diffusers' LCMScheduler: predicts the clean latents, then noises them to the next timestep.
class Lcm final : public TimestepSampler {
 public:
  Lcm(const SchedulerConfig& config, const SchedulerStart& start) : TimestepSampler(config, start) {
    begin_with_timesteps(distilled_timesteps(config_, start.steps));
  }

 private:
  at::Tensor step(const at::Tensor& model_output) override {
    const at::Tensor alpha = table_entry(timestep(index()));
    const at::Tensor original = limited(original_of(latents(), model_output, alpha));
    // Boundary condition of consistency models: at timestep 0 the sample is its own prediction.
    const at::Tensor scaled =
        at::scalar_tensor(timestep(index()), at::kFloat) * config_.timestep_scaling;
    const at::Tensor width = scaled.pow(2) + kSigmaData * kSigmaData;
    const at::Tensor skip = (kSigmaData * kSigmaData) / width;
    const at::Tensor out = scaled / width.sqrt();
    const at::Tensor denoised = predicted(out * original + skip * latents());
    if (is_last()) return denoised;
    const at::Tensor alpha_next = alpha_product(timestep(index() + 1));
    return alpha_next.sqrt() * denoised + (1 - alpha_next).sqrt() * draw(denoised.scalar_type());
  }
};

}  // namespace

std::unique_ptr<Scheduler> make_lcm(const SchedulerConfig& config, const SchedulerStart& start) {
  return std::make_unique<Lcm>(config, start);
}

}  // namespace ssd1b
