#include "inference/schedulers/sigma_curve.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "inference/schedulers/beta_quantile.h"
#include "inference/schedulers/timestep_spacing.h"
#include "ssd1b/error.h"

namespace ssd1b {
namespace {

constexpr double kKarrasRho = 7.0;
constexpr double kBetaShape = 0.6;

std::vector<double> karras(double highest, double lowest, int count) {
  const double from = std::pow(highest, 1.0 / kKarrasRho);
  const double to = std::pow(lowest, 1.0 / kKarrasRho);
  std::vector<double> sigmas = evenly_spaced(0.0, 1.0, count);
  for (double& each : sigmas) each = std::pow(from + each * (to - from), kKarrasRho);
  return sigmas;
}

std::vector<double> exponential(double highest, double lowest, int count) {
  std::vector<double> sigmas = evenly_spaced(std::log(highest), std::log(lowest), count);
  for (double& each : sigmas) each = std::exp(each);
  return sigmas;
}

std::vector<double> beta(double highest, double lowest, int count) {
  std::vector<double> sigmas = evenly_spaced(0.0, 1.0, count);
  for (double& each : sigmas) {
    each = lowest + symmetric_beta_quantile(1.0 - each, kBetaShape) * (highest - lowest);
  }
  return sigmas;
}

/// Even in log(sigma). diffusers computes it from the float32 logarithms of the two ends.
std::vector<double> lu(double highest, double lowest, int count) {
  const double from = std::log(static_cast<float>(highest));
  const double to = std::log(static_cast<float>(lowest));
  std::vector<double> sigmas = evenly_spaced(0.0, 1.0, count);
  for (double& each : sigmas) each = std::exp(from + each * (to - from));
  return sigmas;
}

/// The folder's own ends replace the schedule's.
SpacedSigmas spread_between(const SchedulerConfig& config, const SigmaCurve& curve, double highest,
                            double lowest, int steps) {
  SpacedSigmas spaced;
  spaced.sigmas = spread_sigmas(config.sigma_kind, config.sigma_max.value_or(highest),
                                config.sigma_min.value_or(lowest), steps);
  spaced.timesteps = curve.timesteps_of(spaced.sigmas);
  return spaced;
}

}  // namespace

SigmaCurve::SigmaCurve(const at::Tensor& alphas_cumprod) {
  const at::Tensor sigmas = ((1.0 - alphas_cumprod) / alphas_cumprod).sqrt().contiguous();
  const float* values = sigmas.const_data_ptr<float>();
  sigmas_.assign(values, values + sigmas.numel());
  for (const float sigma : sigmas_) log_sigmas_.push_back(std::log(sigma));
}

double SigmaCurve::at(double timestep) const {
  if (!(timestep > 0.0)) return sigmas_.front();
  const double last = static_cast<double>(sigmas_.size() - 1);
  if (timestep >= last) return sigmas_.back();
  const auto low = static_cast<std::size_t>(timestep);
  const double from = sigmas_[low];
  return (sigmas_[low + 1] - from) * (timestep - static_cast<double>(low)) + from;
}

std::vector<double> SigmaCurve::at(const std::vector<double>& timesteps) const {
  std::vector<double> sigmas;
  for (const double timestep : timesteps) sigmas.push_back(at(timestep));
  return sigmas;
}

template <typename Number>
Number SigmaCurve::find_timestep(Number log_sigma) const {
  // The last timestep whose sigma is not above; the first where all are above.
  std::size_t low = 0;
  for (std::size_t i = 0; i < log_sigmas_.size(); ++i) {
    if (log_sigma - log_sigmas_[i] >= 0) low = i;
  }
  low = std::min(low, log_sigmas_.size() - 2);
  const Number from = log_sigmas_[low];
  const float width = log_sigmas_[low] - log_sigmas_[low + 1];
  const Number share = std::clamp<Number>((from - log_sigma) / width, 0, 1);
  return (1 - share) * static_cast<Number>(low) + share * static_cast<Number>(low + 1);
}

double SigmaCurve::timestep_of(double sigma) const {
  return find_timestep(std::log(std::max(sigma, 1e-10)));
}

float SigmaCurve::timestep_of_float32(float sigma) const {
  return find_timestep(std::log(std::max(sigma, 1e-10F)));
}

std::vector<double> SigmaCurve::timesteps_of(const std::vector<double>& sigmas) const {
  std::vector<double> timesteps;
  for (const double sigma : sigmas) timesteps.push_back(timestep_of(sigma));
  return timesteps;
}

std::vector<double> spread_sigmas(SigmaKind kind, double highest, double lowest, int count) {
  switch (kind) {
    case SigmaKind::Karras:
      return karras(highest, lowest, count);
    case SigmaKind::Exponential:
      return exponential(highest, lowest, count);
    case SigmaKind::Beta:
      return beta(highest, lowest, count);
    case SigmaKind::Lu:
      return lu(highest, lowest, count);
    case SigmaKind::Plain:
      break;
  }
  throw Error(ErrorCode::InternalError, "plain sigmas are not spread: this is a bug");
}

SpacedSigmas spaced_sigmas(const SchedulerConfig& config, const SigmaCurve& curve,
                           std::vector<double> timesteps, int steps) {
  std::vector<double> sigmas = curve.at(timesteps);
  if (config.sigma_kind == SigmaKind::Plain) return {std::move(timesteps), std::move(sigmas)};
  return spread_between(config, curve, sigmas.front(), sigmas.back(), steps);
}

SpacedSigmas solver_sigmas(const SchedulerConfig& config, const SigmaCurve& curve,
                           std::vector<double> timesteps, int steps) {
  if (config.sigma_kind == SigmaKind::Plain) {
    std::vector<double> sigmas = curve.at(timesteps);
    return {std::move(timesteps), std::move(sigmas)};
  }
  return spread_between(config, curve, curve.highest(), curve.lowest(), steps);
}

at::Tensor sigma_tensor(const std::vector<double>& sigmas) {
  return at::tensor(sigmas, at::kDouble).to(at::kFloat);
}

}  // namespace ssd1b
