#include <ATen/ATen.h>

#include "inference/schedulers/algorithms.h"
#include "inference/schedulers/noise_schedule.h"
#include "inference/schedulers/sampler.h"
#include "inference/schedulers/sigma_curve.h"
#include "inference/schedulers/timestep_spacing.h"

namespace ssd1b {
namespace {

/// diffusers' HeunDiscreteScheduler: an Euler step, the slope at its end, then the mean of both
/// slopes from where it began; the step to zero is Euler's alone.
class Heun final : public SigmaSampler {
 public:
  Heun(const SchedulerConfig& config, const SchedulerStart& start) : SigmaSampler(config, start) {
    const SigmaCurve curve(alphas_cumprod(config_, ZeroSignal::Kept));
    const SpacedSigmas spaced = spaced_sigmas(
        config_, curve, as_float32(spaced_timesteps(config_, start.steps)), start.steps);
    std::vector<double> sigmas = spaced.sigmas;
    sigmas.push_back(0.0);
    const at::Tensor table = sigma_tensor(sigmas);
    begin_with_sigmas(doubled_after_first(as_float32(spaced.timesteps)),
                      at::cat({table.slice(0, 0, 1), table.slice(0, 1, -1).repeat_interleave(2),
                               table.slice(0, -1)}),
                      /*calls_per_step=*/2);
  }

 private:
  at::Tensor step(const at::Tensor& model_output) override {
    const bool is_first = !slope_.defined();
    const at::Tensor here = sigma(index());
    const at::Tensor original = predicted(limited(original_of(latents(), model_output, here)));
    const at::Tensor slope = (latents() - original) / here;
    if (is_first) {
      width_ = sigma(index() + 1) - here;
      slope_ = slope;
      start_ = latents();
      return start_ + slope_ * width_;
    }
    const at::Tensor mean = (slope_ + slope) / 2;
    slope_ = at::Tensor();
    return start_ + mean * width_;
  }

  at::Tensor slope_, width_, start_;  // of the step that is half done; slope undefined: none is
};

}  // namespace

std::unique_ptr<Scheduler> make_heun(const SchedulerConfig& config, const SchedulerStart& start) {
  return std::make_unique<Heun>(config, start);
}

}  // namespace ssd1b
