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

using Orders = std::vector<std::size_t>;

void append(Orders& orders, const Orders& more, int times) {
  for (int i = 0; i < times; ++i) orders.insert(orders.end(), more.begin(), more.end());
}

/// The order of every step: 1, 2, .. solver_order in turn, lower at the end.
Orders order_list(const SchedulerConfig& config, int steps) {
  const int order = config.solver_order;
  const bool ends_low =
      config.lower_order_final || steps % order != 0 || config.final_sigma == FinalSigma::Zero;
  Orders turn;
  for (int i = 1; i <= order; ++i) turn.push_back(static_cast<std::size_t>(i));
  Orders orders;
  if (ends_low && order > 1 && steps % order == 0) {
    append(orders, turn, steps / order - 1);
    orders.insert(orders.end(), turn.begin(), turn.end() - 1);
    orders.push_back(1);
  } else {
    append(orders, turn, steps / order);
    orders.insert(orders.end(), turn.begin(), turn.begin() + steps % order);
  }
  if (config.final_sigma == FinalSigma::Zero) orders.back() = 1;
  return orders;
}

/// diffusers' DPMSolverSinglestepScheduler: steps of order 2 and 3 begin again where the last step
/// of order 1 began.
class DpmSinglestep final : public DpmSampler {
 public:
  DpmSinglestep(const SchedulerConfig& config, const SchedulerStart& start)
      : DpmSampler(config, start), orders_(order_list(config, start.steps)) {
    const at::Tensor alphas = alphas_cumprod(config_, ZeroSignal::Kept);
    const SigmaCurve curve(alphas);
    // This class knows no timestep_spacing.
    const int last = config_.num_train_timesteps - timesteps_clipped(config_, alphas);
    std::vector<double> timesteps = rounded(evenly_spaced(0.0, last - 1, start.steps + 1));
    timesteps.erase(timesteps.begin());
    std::reverse(timesteps.begin(), timesteps.end());
    SpacedSigmas spaced = solver_sigmas(config_, curve, std::move(timesteps), start.steps);
    if (config_.sigma_kind == SigmaKind::Karras) {
      spaced.timesteps = rounded(std::move(spaced.timesteps));
    }
    spaced.sigmas.push_back(config_.final_sigma == FinalSigma::Zero ? 0.0 : curve.lowest());
    begin_with_sigmas(truncated(std::move(spaced.timesteps)), sigma_tensor(spaced.sigmas));
  }

 private:
  at::Tensor step(const at::Tensor& model_output) override {
    predictions_.push_back(prediction_of(model_output));
    const auto most = static_cast<std::size_t>(config_.solver_order);
    if (predictions_.size() > most) predictions_.erase(predictions_.begin());
    const std::size_t order = std::min(orders_[index()], predictions_.size());
    if (order == 1) sample_ = latents();

    // The step of this order begins order - 1 calls ago.
    const Level from = level(index() + 1 - order);
    const Step step = step_between(from, level(index() + 1));
    at::Tensor next = step.kept * sample_ + step.zeroth * predictions_[predictions_.size() - order];
    if (order == 2) next = next + second_order(step, from);
    if (order == 3) next = next + third_order(step, from);
    if (step.noise.defined()) next = next + step.noise * draw(model_output.scalar_type());
    return next;
  }

  at::Tensor second_order(const Step& step, const Level& from) const {
    const at::Tensor r0 = (level(index()).lambda - from.lambda) / step.h;
    const std::size_t count = predictions_.size();
    const at::Tensor d1 = (1.0 / r0) * (predictions_[count - 1] - predictions_[count - 2]);
    return (config_.solver_type == SolverType::Midpoint ? 0.5 * step.zeroth : step.first) * d1;
  }

  at::Tensor third_order(const Step& step, const Level& from) const {
    const at::Tensor r0 = (level(index()).lambda - from.lambda) / step.h;
    const at::Tensor r1 = (level(index() - 1).lambda - from.lambda) / step.h;
    const at::Tensor d1_1 = (1.0 / r0) * (predictions_[2] - predictions_[0]);
    if (config_.solver_type == SolverType::Midpoint) return step.first * d1_1;
    const at::Tensor d1_0 = (1.0 / r1) * (predictions_[1] - predictions_[0]);
    const at::Tensor d1 = (r0 * d1_0 - r1 * d1_1) / (r0 - r1);
    const at::Tensor d2 = 2.0 * (d1_1 - d1_0) / (r0 - r1);
    return step.first * d1 + step.second * d2;
  }

  const Orders orders_;
  std::vector<at::Tensor> predictions_;  // newest last, at most solver_order
  at::Tensor sample_;                    // that the last step of order 1 began from
};

}  // namespace

std::unique_ptr<Scheduler> make_dpm_singlestep(const SchedulerConfig& config,
                                               const SchedulerStart& start) {
  return std::make_unique<DpmSinglestep>(config, start);
}

}  // namespace ssd1b
