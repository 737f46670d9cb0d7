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

constexpr std::size_t kFewCalls = 15;  // below it the last steps are of lower order

/// Integrals of the Lagrange polynomials in log(rho), in float32 as diffusers computes them.
float integral(float t, float b, float c) {
  return t * (-std::log(c) + std::log(t) - 1.0F) / (std::log(b) - std::log(c));
}

float integral(float t, float b, float c, float d) {
  const float log_t = std::log(t);
  const float numerator = t * (std::log(c) * (std::log(d) - log_t + 1.0F) - std::log(d) * log_t +
                               std::log(d) + log_t * log_t - 2.0F * log_t + 2.0F);
  return numerator / ((std::log(b) - std::log(c)) * (std::log(b) - std::log(d)));
}

at::Tensor factor(float value) { return at::scalar_tensor(value, at::kFloat); }

/// diffusers' DEISMultistepScheduler (arXiv 2204.13902), solver type logrho.
class Deis final : public SolverSampler {
 public:
  Deis(const SchedulerConfig& config, const SchedulerStart& start) : SolverSampler(config, start) {
    const SigmaCurve curve(alphas_cumprod(config_, ZeroSignal::Kept));
    SpacedSigmas spaced = solver_sigmas(
        config_, curve, solver_timesteps(config_, config_.num_train_timesteps, start.steps),
        start.steps);
    if (config_.sigma_kind == SigmaKind::Karras) {
      spaced.timesteps = rounded(std::move(spaced.timesteps));
    }
    spaced.sigmas.push_back(config_.sigma_kind == SigmaKind::Plain ? curve.lowest()
                                                                   : spaced.sigmas.back());
    begin_with_sigmas(truncated(std::move(spaced.timesteps)), sigma_tensor(spaced.sigmas));
  }

 private:
  at::Tensor step(const at::Tensor& model_output) override {
    const Level from = level(index());
    const at::Tensor original = predicted(original_of(latents(), model_output));
    outputs_.push_back((latents() - from.alpha * original) / from.sigma);
    const auto most = static_cast<std::size_t>(config_.solver_order);
    if (outputs_.size() > most) outputs_.erase(outputs_.begin());
    switch (std::min(outputs_.size(), order_now())) {
      case 1:
        return first_order(from);
      case 2:
        return second_order(from);
      default:
        return third_order(from);
    }
  }

  std::size_t order_now() const {
    if (!config_.lower_order_final || call_count() >= kFewCalls) return 3;
    return std::min<std::size_t>(3, call_count() - index());
  }

  at::Tensor first_order(const Level& from) const {
    const Level to = level(index() + 1);
    const at::Tensor h = to.lambda - from.lambda;
    return (to.alpha / from.alpha) * latents() - (to.sigma * (h.exp() - 1.0)) * outputs_.back();
  }

  at::Tensor second_order(const Level& from) const {
    const Level to = level(index() + 1);
    const float t = rho(to);
    const float s0 = rho(from);
    const float s1 = rho(level(index() - 1));
    const float c0 = integral(t, s0, s1) - integral(s0, s0, s1);
    const float c1 = integral(t, s1, s0) - integral(s0, s1, s0);
    const std::size_t newest = outputs_.size() - 1;
    return to.alpha * (latents() / from.alpha + factor(c0) * outputs_[newest] +
                       factor(c1) * outputs_[newest - 1]);
  }

  at::Tensor third_order(const Level& from) const {
    const Level to = level(index() + 1);
    const float t = rho(to);
    const float s0 = rho(from);
    const float s1 = rho(level(index() - 1));
    const float s2 = rho(level(index() - 2));
    const float c0 = integral(t, s0, s1, s2) - integral(s0, s0, s1, s2);
    const float c1 = integral(t, s1, s2, s0) - integral(s0, s1, s2, s0);
    const float c2 = integral(t, s2, s0, s1) - integral(s0, s2, s0, s1);
    return to.alpha * (latents() / from.alpha + factor(c0) * outputs_[2] +
                       factor(c1) * outputs_[1] + factor(c2) * outputs_[0]);
  }

  static float rho(const Level& level) { return (level.sigma / level.alpha).item<float>(); }

  std::vector<at::Tensor> outputs_;  // noise predictions, newest last, at most solver_order
};

}  // namespace

std::unique_ptr<Scheduler> make_deis(const SchedulerConfig& config, const SchedulerStart& start) {
  return std::make_unique<Deis>(config, start);
}

}  // namespace ssd1b
