#include <ATen/ATen.h>

#include <utility>

#include "inference/schedulers/algorithms.h"
#include "inference/schedulers/noise_schedule.h"
#include "inference/schedulers/sampler.h"
#include "inference/schedulers/sigma_curve.h"
#include "inference/schedulers/timestep_spacing.h"

namespace ssd1b {
namespace {

/// diffusers' EulerAncestralDiscreteScheduler: a step down further than asked, then fresh noise.
class EulerAncestral final : public SigmaSampler {
 public:
  EulerAncestral(const SchedulerConfig& config, const SchedulerStart& start)
      : SigmaSampler(config, start) {
    const SigmaCurve curve(alphas_cumprod(config_, ZeroSignal::Bounded));
    std::vector<double> timesteps = as_float32(spaced_timesteps(config_, start.steps));
    std::vector<double> sigmas = curve.at(timesteps);
    sigmas.push_back(0.0);
    begin_with_sigmas(std::move(timesteps), sigma_tensor(sigmas), /*calls_per_step=*/1);
  }

 private:
  at::Tensor step(const at::Tensor& model_output) override {
    const at::Tensor sample = latents().to(at::kFloat);
    const at::Tensor from = sigma(index());
    const at::Tensor to = sigma(index() + 1);
    const at::Tensor original = predicted(original_of(sample, model_output, from));
    const at::Tensor up = (to.pow(2) * (from.pow(2) - to.pow(2)) / from.pow(2)).sqrt();
    const at::Tensor down = (to.pow(2) - up.pow(2)).sqrt();
    const at::Tensor derivative = (sample - original) / from;
    const at::Tensor mean = sample + derivative * (down - from);
    // Drawn after the last step too, where it counts for nothing: so is the reference's generator.
    return (mean + draw(model_output.scalar_type()) * up).to(model_output.scalar_type());
  }
};

}  // namespace

std::unique_ptr<Scheduler> make_euler_ancestral(const SchedulerConfig& config,
                                                const SchedulerStart& start) {
  return std::make_unique<EulerAncestral>(config, start);
}

}  // namespace ssd1b
