#include "inference/schedulers/noise_schedule.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>

namespace ssd1b {
namespace {

constexpr double kPi = 3.14159265358979323846;
constexpr double kMaxBeta = 0.999;
constexpr double kSmallestHalf = 0x1p-24;

double signal_at(BetaSchedule schedule, double t) {
  if (schedule == BetaSchedule::SquaredCosine) {
    const double root = std::cos((t + 0.008) / 1.008 * kPi / 2.0);
    return root * root;
  }
  if (schedule == BetaSchedule::Exponential) return std::exp(t * -12.0);
  const double lambda =
      -0.5 * std::copysign(1.0, 0.5 - t) * std::log(1.0 - 2.0 * std::fabs(0.5 - t) + 1e-6);
  const double snr = std::exp(lambda);
  return std::sqrt(snr / (1.0 + snr));
}

/// Betas whose products of (1 - beta) follow a curve of t in [0, 1].
at::Tensor betas_of_signal(BetaSchedule schedule, int count) {
  at::Tensor betas = at::empty({count}, at::kFloat);
  auto values = betas.accessor<float, 1>();
  for (int i = 0; i < count; ++i) {
    const double from = signal_at(schedule, static_cast<double>(i) / count);
    const double to = signal_at(schedule, static_cast<double>(i + 1) / count);
    values[i] = static_cast<float>(std::min(1.0 - to / from, kMaxBeta));
  }
  return betas;
}

at::Tensor make_betas(const SchedulerConfig& config) {
  const int count = config.num_train_timesteps;
  if (!config.trained_betas.empty()) {
    return at::tensor(config.trained_betas, at::kDouble).to(at::kFloat);
  }
  switch (config.beta_schedule) {
    case BetaSchedule::Linear:
      return at::linspace(config.beta_start, config.beta_end, count, at::kFloat);
    case BetaSchedule::ScaledLinear:
      return at::linspace(std::sqrt(config.beta_start), std::sqrt(config.beta_end), count,
                          at::kFloat)
          .pow(2);
    case BetaSchedule::Sigmoid:
      return at::sigmoid(at::linspace(-6, 6, count, at::kFloat)) *
                 (config.beta_end - config.beta_start) +
             config.beta_start;
    case BetaSchedule::SquaredCosine:
    case BetaSchedule::Exponential:
    case BetaSchedule::Laplace:
      break;
  }
  return betas_of_signal(config.beta_schedule, count);
}

/// Shifts and scales the roots of the products so that the last is zero and the first stays
/// (arXiv 2305.08891, algorithm 1).
at::Tensor rescaled_to_zero_signal(const at::Tensor& betas) {
  const at::Tensor roots = at::cumprod(1.0 - betas, 0).sqrt();
  const at::Tensor first = roots[0].clone();
  const at::Tensor last = roots[-1].clone();
  const at::Tensor products = ((roots - last) * (first / (first - last))).pow(2);
  const at::Tensor ratios = products.slice(0, 1) / products.slice(0, 0, -1);
  return 1.0 - at::cat({products.slice(0, 0, 1), ratios});
}

}  // namespace

at::Tensor alphas_cumprod(const SchedulerConfig& config, ZeroSignal zero_signal) {
  at::Tensor betas = make_betas(config);
  if (config.rescale_betas_zero_snr) betas = rescaled_to_zero_signal(betas);
  at::Tensor products = at::cumprod(1.0 - betas, 0);
  if (config.rescale_betas_zero_snr && zero_signal == ZeroSignal::Bounded) {
    products[-1].fill_(kSmallestHalf);
  }
  return products;
}

}  // namespace ssd1b
