#include <ATen/ATen.h>

#include <algorithm>
#include <utility>

#include "inference/schedulers/algorithms.h"
#include "inference/schedulers/noise_schedule.h"
#include "inference/schedulers/sampler.h"
#include "inference/schedulers/sigma_curve.h"
#include "inference/schedulers/timestep_spacing.h"
#include "ssd1b/error.h"

namespace ssd1b {
namespace {

/// Weights of the higher terms; throws Error where two noise levels of the schedule are equal.
at::Tensor solved(const at::Tensor& r, const at::Tensor& b) {
  try {
    return at::linalg_solve(r, b);
  } catch (const c10::LinAlgError&) {
    throw Error(ErrorCode::InvalidValue,
                "steps must not lead scheduler unipc to one noise level twice with this model",
                "steps");
  }
}

/// diffusers' UniPCMultistepScheduler (arXiv 2302.04867): every answer first corrects the step
/// that led to it, then predicts the next. Both share one update over hh, the signed log-SNR step.
class UniPc final : public SolverSampler {
 public:
  UniPc(const SchedulerConfig& config, const SchedulerStart& start) : SolverSampler(config, start) {
    const SigmaCurve curve(alphas_cumprod(config_, ZeroSignal::Bounded));
    SpacedSigmas spaced = solver_sigmas(
        config_, curve, solver_timesteps(config_, config_.num_train_timesteps, start.steps),
        start.steps);
    if (config_.sigma_kind == SigmaKind::Karras) {
      spaced.timesteps = rounded(std::move(spaced.timesteps));
    }
    const double lowest =
        config_.sigma_kind == SigmaKind::Plain ? curve.lowest() : spaced.sigmas.back();
    spaced.sigmas.push_back(config_.final_sigma == FinalSigma::Zero ? 0.0 : lowest);
    begin_with_sigmas(truncated(std::move(spaced.timesteps)), sigma_tensor(spaced.sigmas));
  }

 private:
  at::Tensor step(const at::Tensor& model_output) override {
    const at::Tensor original = predicted(original_of(latents(), model_output));
    const at::Tensor converted =
        config_.predict_x0 ? original : epsilon_of(latents(), model_output);
    at::Tensor sample = latents();
    if (is_corrected()) sample = corrected(converted);
    outputs_.push_back(converted);
    const auto order = static_cast<std::size_t>(config_.solver_order);
    if (outputs_.size() > order) outputs_.erase(outputs_.begin());
    order_ = std::min(order, taken_ + 1);
    if (config_.lower_order_final) order_ = std::min(order_, call_count() - index());
    taken_ = std::min(taken_ + 1, order);
    last_sample_ = sample;
    return next_from(sample);
  }

  bool is_corrected() const {
    if (index() == 0 || !last_sample_.defined()) return false;
    const auto before = static_cast<std::int64_t>(index()) - 1;
    const auto& without = config_.disable_corrector;
    return std::find(without.begin(), without.end(), before) == without.end();
  }

  /// What predictor and corrector of one step share.
  struct Update {
    at::Tensor base;   // the step of first order
    at::Tensor scale;  // of the higher terms
    at::Tensor r, b;   // the linear system R rho = b of their weights: [order, order], [order]
    std::vector<at::Tensor> differences;  // of the outputs, order - 1 of them
  };

  /// The step from call `from` to the next, with the outputs up to `from`.
  Update update_from(std::size_t from, const at::Tensor& sample) const {
    const Level start = level(from);
    const Level end = level(from + 1);
    const at::Tensor h = end.lambda - start.lambda;
    const at::Tensor hh = config_.predict_x0 ? -h : h;
    const at::Tensor phi_1 = hh.expm1();
    const at::Tensor b_h = config_.solver_type == SolverType::Bh1 ? hh : phi_1;
    const at::Tensor& newest = outputs_.back();
    Update update;
    std::vector<at::Tensor> ratios;
    for (std::size_t i = 1; i < order_; ++i) {
      const at::Tensor ratio = (level(from - i).lambda - start.lambda) / h;
      update.differences.push_back((outputs_[outputs_.size() - 1 - i] - newest) / ratio);
      ratios.push_back(ratio);
    }
    ratios.push_back(at::ones({}, at::kFloat));
    fill_system(update, at::stack(ratios), hh, phi_1, b_h);
    const at::Tensor& factor = config_.predict_x0 ? end.alpha : end.sigma;
    const at::Tensor kept = config_.predict_x0 ? end.sigma / start.sigma : end.alpha / start.alpha;
    update.base = kept * sample - factor * phi_1 * newest;
    update.scale = factor * b_h;
    return update;
  }

  void fill_system(Update& update, const at::Tensor& ratios, const at::Tensor& hh,
                   const at::Tensor& phi_1, const at::Tensor& b_h) const {
    std::vector<at::Tensor> rows, right;
    at::Tensor phi = phi_1 / hh - 1;
    double factorial = 1.0;
    for (std::size_t i = 1; i <= order_; ++i) {
      rows.push_back(at::pow(ratios, static_cast<double>(i - 1)));
      right.push_back(phi * factorial / b_h);
      factorial *= static_cast<double>(i + 1);
      phi = phi / hh - 1 / factorial;
    }
    update.r = at::stack(rows);
    update.b = at::stack(right);
  }

  at::Tensor next_from(const at::Tensor& sample) const {
    const Update update = update_from(index(), sample);
    const auto terms = static_cast<std::int64_t>(update.differences.size());
    if (terms == 0) {
      // Not finite for bh1's step to zero, whose scale is infinite: as in diffusers.
      return (update.base - update.scale * 0).to(sample.scalar_type());
    }
    const at::Tensor weights =
        terms == 1 ? at::full({1}, 0.5, at::kFloat)
                   : solved(update.r.slice(0, 0, -1).slice(1, 0, -1), update.b.slice(0, 0, -1));
    return (update.base - update.scale * weighted(update, weights.to(sample.scalar_type())))
        .to(sample.scalar_type());
  }

  at::Tensor corrected(const at::Tensor& converted) const {
    const Update update = update_from(index() - 1, last_sample_);
    const at::Tensor weights =
        (order_ == 1 ? at::full({1}, 0.5, at::kFloat) : solved(update.r, update.b))
            .to(last_sample_.scalar_type());
    at::Tensor terms = weights[-1] * (converted - outputs_.back());
    if (order_ > 1) terms = weighted(update, weights) + terms;
    return (update.base - update.scale * terms).to(last_sample_.scalar_type());
  }

  static at::Tensor weighted(const Update& update, const at::Tensor& weights) {
    at::Tensor sum = weights[0] * update.differences[0];
    for (std::size_t i = 1; i < update.differences.size(); ++i) {
      sum = sum + weights[static_cast<std::int64_t>(i)] * update.differences[i];
    }
    return sum;
  }

  std::vector<at::Tensor> outputs_;  // converted, newest last, at most solver_order
  at::Tensor last_sample_;           // that the last prediction began from
  std::size_t order_ = 1;            // of the last prediction
  std::size_t taken_ = 0;            // predictions taken, up to solver_order
};

}  // namespace

std::unique_ptr<Scheduler> make_unipc(const SchedulerConfig& config, const SchedulerStart& start) {
  return std::make_unique<UniPc>(config, start);
}

}  // namespace ssd1b
