#include "inference/schedulers/beta_quantile.h"

#include <cmath>

namespace ssd1b {
namespace {

constexpr int kMaxTerms = 2000;
constexpr int kMaxHalvings = 200;

/// The share below x, for x up to 1/2: the power series of the incomplete beta function,
/// x^a / (a B(a, a)) * (1 + sum of falling terms), which converges at least as fast as 2^-n there.
double share_below(double x, double shape) {
  const double log_beta = 2.0 * std::lgamma(shape) - std::lgamma(2.0 * shape);
  double term = 1.0;
  double sum = 1.0 / shape;
  for (int n = 1; n < kMaxTerms; ++n) {
    term *= (n - shape) / n * x;
    const double addend = term / (shape + n);
    sum += addend;
    if (std::fabs(addend) < 1e-18 * std::fabs(sum)) break;
  }
  return std::exp(shape * std::log(x) - log_beta) * sum;
}

/// For probabilities up to 1/2: Newton's method on the logarithm of x, kept inside a bracket.
double lower_quantile(double probability, double shape) {
  double low = 0.0;
  double high = 0.5;
  double x = 0.25;
  const double log_beta = 2.0 * std::lgamma(shape) - std::lgamma(2.0 * shape);
  for (int i = 0; i < kMaxHalvings; ++i) {
    const double excess = share_below(x, shape) - probability;
    (excess > 0.0 ? high : low) = x;
    const double density = std::exp((shape - 1.0) * (std::log(x) + std::log1p(-x)) - log_beta);
    double next = x * std::exp(-excess / (density * x));
    if (!(next > low && next < high)) next = 0.5 * (low + high);
    if (std::fabs(next - x) <= 1e-16 * x) return next;
    x = next;
  }
  return x;
}

}  // namespace

double symmetric_beta_quantile(double probability, double shape) {
  if (probability <= 0.0) return 0.0;
  if (probability >= 1.0) return 1.0;
  if (probability == 0.5) return 0.5;
  return probability < 0.5 ? lower_quantile(probability, shape)
                           : 1.0 - lower_quantile(1.0 - probability, shape);
}

}  // namespace ssd1b
