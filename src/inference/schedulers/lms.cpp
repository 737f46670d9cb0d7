#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "inference/schedulers/algorithms.h"
#include "inference/schedulers/noise_schedule.h"
#include "inference/schedulers/sampler.h"
#include "inference/schedulers/sigma_curve.h"
#include "inference/schedulers/timestep_spacing.h"

namespace ssd1b {
namespace {

constexpr std::size_t kOrder = 4;

/// diffusers' LMSDiscreteScheduler: the polynomial through the last slopes, integrated.
class Lms final : public SigmaSampler {
 public:
  Lms(const SchedulerConfig& config, const SchedulerStart& start) : SigmaSampler(config, start) {
    const SigmaCurve curve(alphas_cumprod(config_, ZeroSignal::Kept));
    SpacedSigmas spaced = spaced_sigmas(
        config_, curve, as_float32(spaced_timesteps(config_, start.steps)), start.steps);
    spaced.sigmas.push_back(0.0);
    begin_with_sigmas(as_float32(std::move(spaced.timesteps)), sigma_tensor(spaced.sigmas),
                      /*calls_per_step=*/1);
  }

 private:
  at::Tensor step(const at::Tensor& model_output) override {
    const at::Tensor now = sigma(index());
    const at::Tensor original = predicted(original_of(latents(), model_output, now));
    slopes_.insert(slopes_.begin(), (latents() - original) / now);
    if (slopes_.size() > kOrder) slopes_.pop_back();
    const std::size_t order = std::min(index() + 1, kOrder);
    at::Tensor change;
    for (std::size_t i = 0; i < std::min(order, slopes_.size()); ++i) {
      const at::Tensor term = coefficient(order, i) * slopes_[i];
      change = change.defined() ? change + term : term;
    }
    return latents() + change;
  }

  /// The integral over the step of the Lagrange polynomial that is 1 at the slope `which` steps ago
  /// and 0 at the others: of degree 3 at most, so that two Gauss points are exact.
  double coefficient(std::size_t order, std::size_t which) const {
    const double from = sigma(index()).item<double>();
    const double to = sigma(index() + 1).item<double>();
    const double half = (to - from) / 2.0;
    const double offset = half / std::sqrt(3.0);
    return half * (lagrange(order, which, from + half - offset) +
                   lagrange(order, which, from + half + offset));
  }

  double lagrange(std::size_t order, std::size_t which, double at) const {
    const double own = sigma(index() - which).item<double>();
    double product = 1.0;
    for (std::size_t i = 0; i < order; ++i) {
      if (i == which) continue;
      const double other = sigma(index() - i).item<double>();
      product *= (at - other) / (own - other);
    }
    return product;
  }

  std::vector<at::Tensor> slopes_;  // newest first, at most kOrder
};

}  // namespace

std::unique_ptr<Scheduler> make_lms(const SchedulerConfig& config, const SchedulerStart& start) {
  return std::make_unique<Lms>(config, start);
}

}  // namespace ssd1b
