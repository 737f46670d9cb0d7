#include <gtest/gtest.h>

#include <cmath>

#include "inference/schedulers/beta_quantile.h"
#include "inference/schedulers/noise_schedule.h"
#include "inference/schedulers/sigma_curve.h"
#include "inference/schedulers/timestep_spacing.h"

namespace ssd1b {
namespace {

/// Stable Diffusion's betas, which SSD-1B was trained with.
SchedulerConfig stable_diffusion() {
  SchedulerConfig config;
  config.beta_start = 0.00085;
  config.beta_end = 0.012;
  config.beta_schedule = BetaSchedule::ScaledLinear;
  config.timestep_spacing = TimestepSpacing::Leading;
  config.steps_offset = 1;
  return config;
}

TEST(NoiseSchedule, HasTheProductsOfStableDiffusion) {
  const at::Tensor products = alphas_cumprod(stable_diffusion(), ZeroSignal::Kept);
  EXPECT_EQ(products.numel(), 1000);
  EXPECT_NEAR(products[0].item<double>(), 0.99915000, 1e-7);
  EXPECT_NEAR(products[999].item<double>(), 0.00466010, 1e-8);
}

TEST(NoiseSchedule, RescaledBetasEndInPureNoise) {
  SchedulerConfig config = stable_diffusion();
  config.rescale_betas_zero_snr = true;
  EXPECT_EQ(alphas_cumprod(config, ZeroSignal::Kept)[-1].item<float>(), 0.0F);
  EXPECT_EQ(alphas_cumprod(config, ZeroSignal::Bounded)[-1].item<float>(), 0x1p-24F);
}

TEST(NoiseSchedule, TrainedBetasComeBeforeTheSchedule) {
  SchedulerConfig config;
  config.num_train_timesteps = 2;
  config.trained_betas = {0.5, 0.25};
  EXPECT_FLOAT_EQ(alphas_cumprod(config, ZeroSignal::Kept)[1].item<float>(), 0.375F);
}

TEST(SigmaCurve, InterpolatesBetweenTimesteps) {
  const SigmaCurve curve(alphas_cumprod(stable_diffusion(), ZeroSignal::Kept));
  EXPECT_NEAR(curve.lowest(), 0.0291672, 1e-6);
  EXPECT_NEAR(curve.highest(), 14.614641, 2e-5);
  EXPECT_NEAR(curve.at(1.0), 0.041314, 1e-6);
  EXPECT_NEAR(curve.at(0.5), (curve.lowest() + curve.at(1.0)) / 2, 1e-12);
  EXPECT_EQ(curve.at(-1.0), curve.lowest());
  EXPECT_EQ(curve.at(5000.0), curve.highest());
  EXPECT_NEAR(curve.timestep_of(curve.at(437.0)), 437.0, 1e-3);
}

TEST(SigmaCurve, KarrasSigmasOfTwentyFiveSteps) {
  const SigmaCurve curve(alphas_cumprod(stable_diffusion(), ZeroSignal::Kept));
  SchedulerConfig config = stable_diffusion();
  config.sigma_kind = SigmaKind::Karras;
  const SpacedSigmas over_all = solver_sigmas(config, curve, {}, 25);
  EXPECT_NEAR(over_all.sigmas[1], 12.28303, 1e-4);
  EXPECT_NEAR(over_all.sigmas[3], 8.56001, 1e-4);
  EXPECT_NEAR(over_all.sigmas[23], 0.04374, 1e-5);
  const std::vector<double> timesteps = {999, 970, 938, 905, 868, 829, 786, 739, 687,
                                         630, 568, 500, 427, 352, 278, 207, 146, 96,
                                         59,  34,  18,  9,   4,   1,   0};
  EXPECT_EQ(rounded(over_all.timesteps), timesteps);

  const SpacedSigmas of_steps = spaced_sigmas(config, curve, spaced_timesteps(config, 25), 25);
  EXPECT_NEAR(of_steps.sigmas[0], 11.67605, 1e-4);
  EXPECT_NEAR(of_steps.sigmas[2], 8.38954, 1e-4);
  EXPECT_NEAR(of_steps.sigmas[23], 0.05878, 1e-5);
}

TEST(TimestepSpacing, LeadingTimestepsOfTheSolvers) {
  const SchedulerConfig config = stable_diffusion();
  const std::vector<double> twenty = solver_timesteps(config, 1000, 20);
  EXPECT_EQ(twenty.size(), 20U);
  EXPECT_EQ(twenty[0], 941);
  EXPECT_EQ(twenty[1], 894);
  EXPECT_EQ(twenty[19], 48);
  EXPECT_EQ(solver_timesteps(config, 1000, 25)[24], 39);
  EXPECT_EQ(solver_timesteps(config, 1000, 30)[1], 929);
}

TEST(TimestepSpacing, DistilledTimesteps) {
  const SchedulerConfig config = stable_diffusion();
  EXPECT_EQ(distilled_timesteps(config, 1), (std::vector<double>{999}));
  EXPECT_EQ(distilled_timesteps(config, 4), (std::vector<double>{999, 759, 499, 259}));
  EXPECT_EQ(distilled_timesteps(config, 8),
            (std::vector<double>{999, 879, 759, 639, 499, 379, 259, 139}));
}

TEST(TimestepSpacing, TrailingAndLinspace) {
  SchedulerConfig config = stable_diffusion();
  config.timestep_spacing = TimestepSpacing::Trailing;
  EXPECT_EQ(spaced_timesteps(config, 4), (std::vector<double>{999, 749, 499, 249}));
  config.timestep_spacing = TimestepSpacing::Linspace;
  EXPECT_EQ(spaced_timesteps(config, 4), (std::vector<double>{999, 666, 333, 0}));
  EXPECT_EQ(spaced_timesteps(config, 1), (std::vector<double>{0}));
}

TEST(BetaQuantile, InvertsTheDistribution) {
  // scipy.stats.beta.ppf(p, 0.6, 0.6)
  EXPECT_EQ(symmetric_beta_quantile(0.0, 0.6), 0.0);
  EXPECT_EQ(symmetric_beta_quantile(1.0, 0.6), 1.0);
  EXPECT_EQ(symmetric_beta_quantile(0.5, 0.6), 0.5);
  for (const double p : {1e-6, 0.01, 0.2, 0.37, 0.499}) {
    EXPECT_NEAR(symmetric_beta_quantile(p, 0.6), 1.0 - symmetric_beta_quantile(1.0 - p, 0.6),
                1e-12);
    // With both shapes 1 it is the uniform distribution, with 1/2 the arcsine.
    EXPECT_NEAR(symmetric_beta_quantile(p, 1.0), p, 1e-13);
    EXPECT_NEAR(symmetric_beta_quantile(p, 0.5), std::pow(std::sin(p * std::acos(0.0)), 2), 1e-13);
  }
}

}  // namespace
}  // namespace ssd1b
