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

/// diffusers' DPMSolverMultistepScheduler, algorithm types dpmsolver++ (arXiv 2211.01095) and
/// sde-dpmsolver++: an exponential integrator over lambda that uses the predictions of the last
/// steps. D0, D1, D2 are the prediction and its divided differences.
class DpmMultistep final : public SolverSampler {
 public:
  DpmMultistep(const SchedulerConfig& config, const SchedulerStart& start)
      : SolverSampler(config, start) {
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
    predictions_.push_back(predicted(original_of(latents(), model_output)));
    const auto order = static_cast<std::size_t>(config_.solver_order);
    if (predictions_.size() > order) predictions_.erase(predictions_.begin());
    const at::Tensor sample = latents().to(at::kFloat);
    at::Tensor next = updated(sample, std::min(predictions_.size(), order_now()));
    if (config_.is_stochastic) {
      const at::Tensor h = level(index() + 1).lambda - level(index()).lambda;
      next = next + level(index() + 1).sigma * (1.0 - (-2 * h).exp()).sqrt() * draw(at::kFloat);
    }
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

  /// The mean of the step, of order 1, 2 or 3.
  at::Tensor updated(const at::Tensor& sample, std::size_t order) const {
    const Level to = level(index() + 1);
    const Level from = level(index());
    const at::Tensor h = to.lambda - from.lambda;
    const at::Tensor& d0 = predictions_.back();
    const SolverFactors factors = solver_factors(to.alpha, h, config_.is_stochastic);
    const at::Tensor mean = to.sigma / from.sigma * factors.kept * sample + factors.zeroth * d0;
    if (order == 1) return mean;
    const at::Tensor h_0 = from.lambda - level(index() - 1).lambda;
    const at::Tensor r0 = h_0 / h;
    const at::Tensor d1_0 = (1.0 / r0) * (d0 - predictions_[predictions_.size() - 2]);
    if (order == 2) {
      return mean +
             (config_.solver_type == SolverType::Midpoint ? 0.5 * factors.zeroth : factors.first) *
                 d1_0;
    }
    const at::Tensor h_1 = level(index() - 1).lambda - level(index() - 2).lambda;
    const at::Tensor r1 = h_1 / h;
    const at::Tensor d1_1 = (1.0 / r1) * (predictions_[1] - predictions_[0]);
    const at::Tensor d1 = d1_0 + (r0 / (r0 + r1)) * (d1_0 - d1_1);
    const at::Tensor d2 = (1.0 / (r0 + r1)) * (d1_0 - d1_1);
    return mean + factors.first * d1 + factors.second * d2;
  }

  std::vector<at::Tensor> predictions_;  // of the last steps, newest last, at most solver_order
};

}  // namespace

std::unique_ptr<Scheduler> make_dpm_multistep(const SchedulerConfig& config,
                                              const SchedulerStart& start) {
  return std::make_unique<DpmMultistep>(config, start);
}

}  // namespace ssd1b
