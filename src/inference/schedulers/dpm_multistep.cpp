#include <ATen/ATen.h>

#include <algorithm>
#include <utility>

#include "inference/schedulers/algorithms.h"
#include "inference/schedulers/dpm_solver.h"
#include "inference/schedulers/noise_schedule.h"
#include "inference/schedulers/sampler.h"
#include "inference/schedulers/sigma_curve.h"
#include "inference/schedulers/timestep_spacing.h"

namespace ssd1b {
namespace {

constexpr std::size_t kFewCalls = 15;  // below it the last steps are of lower order

/// diffusers' DPMSolverMultistepScheduler (arXiv 2206.00927 and, for dpmsolver++, 2211.01095): an
/// exponential integrator over lambda that uses the predictions of the last steps.
class DpmMultistep final : public DpmSampler {
 public:
  DpmMultistep(const SchedulerConfig& config, const SchedulerStart& start)
      : DpmSampler(config, start) {
    const at::Tensor alphas = alphas_cumprod(config_, ZeroSignal::Bounded);
    const SigmaCurve curve(alphas);
    const int last = config_.num_train_timesteps - timesteps_clipped(config_, alphas);
    SpacedSigmas spaced =
        solver_sigmas(config_, curve, solver_timesteps(config_, last, start.steps), start.steps);
    const bool is_rounded =
        (config_.sigma_kind == SigmaKind::Karras || config_.sigma_kind == SigmaKind::Lu) &&
        config_.beta_schedule != BetaSchedule::SquaredCosine;
    if (is_rounded) spaced.timesteps = rounded(std::move(spaced.timesteps));
    spaced.sigmas.push_back(config_.final_sigma == FinalSigma::Zero ? 0.0 : curve.lowest());
    begin_with_sigmas(truncated(std::move(spaced.timesteps)), sigma_tensor(spaced.sigmas));
  }

 private:
  at::Tensor step(const at::Tensor& model_output) override {
    predictions_.push_back(prediction_of(model_output));
    const auto order = static_cast<std::size_t>(config_.solver_order);
    if (predictions_.size() > order) predictions_.erase(predictions_.begin());
    const Step step = step_between(level(index()), level(index() + 1));
    at::Tensor next = mean_of(step, std::min(predictions_.size(), order_now()));
    if (step.noise.defined()) next = next + step.noise * draw(at::kFloat);
    return next.to(model_output.scalar_type());
  }

  std::size_t order_now() const {
    const bool is_short = config_.lower_order_final && call_count() < kFewCalls;
    if (is_last() &&
        (config_.euler_at_final || is_short || config_.final_sigma == FinalSigma::Zero)) {
      return 1;
    }
    const bool is_second_last = index() + 2 == call_count();
    return is_second_last && is_short ? 2 : 3;
  }

  /// Of order 1, 2 or 3.
  at::Tensor mean_of(const Step& step, std::size_t order) const {
    const at::Tensor& d0 = predictions_.back();
    const at::Tensor mean = step.kept * latents().to(at::kFloat) + step.zeroth * d0;
    if (order == 1) return mean;
    const at::Tensor h_0 = level(index()).lambda - level(index() - 1).lambda;
    const at::Tensor r0 = h_0 / step.h;
    const at::Tensor d1_0 = (1.0 / r0) * (d0 - predictions_[predictions_.size() - 2]);
    if (order == 2) {
      return mean +
             (config_.solver_type == SolverType::Midpoint ? 0.5 * step.zeroth : step.first) * d1_0;
    }
    const at::Tensor h_1 = level(index() - 1).lambda - level(index() - 2).lambda;
    const at::Tensor r1 = h_1 / step.h;
    const at::Tensor d1_1 = (1.0 / r1) * (predictions_[1] - predictions_[0]);
    const at::Tensor d1 = d1_0 + (r0 / (r0 + r1)) * (d1_0 - d1_1);
    const at::Tensor d2 = (1.0 / (r0 + r1)) * (d1_0 - d1_1);
    return mean + step.first * d1 + step.second * d2;
  }

  std::vector<at::Tensor> predictions_;  // of the last steps, newest last, at most solver_order
};

}  // namespace

std::unique_ptr<Scheduler> make_dpm_multistep(const SchedulerConfig& config,
                                              const SchedulerStart& start) {
  return std::make_unique<DpmMultistep>(config, start);
}

}  // namespace ssd1b
