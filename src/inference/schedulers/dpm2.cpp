#include <ATen/ATen.h>

#include <utility>

#include "inference/schedulers/algorithms.h"
#include "inference/schedulers/noise_schedule.h"
#include "inference/schedulers/sampler.h"
#include "inference/schedulers/sigma_curve.h"
#include "inference/schedulers/timestep_spacing.h"

namespace ssd1b {
namespace {

/// [n + 1] -> one for every call and a spare: the first once, the others twice.
at::Tensor of_calls(const at::Tensor& sigmas) {
  return at::cat({sigmas.slice(0, 0, 1), sigmas.slice(0, 1).repeat_interleave(2)});
}

/// The schedule's steps and the points between them.
struct MidpointTable {
  SpacedSigmas spaced;
  at::Tensor sigmas;  // [n + 1], the last one zero
};

MidpointTable midpoint_table(const SchedulerConfig& config, const SigmaCurve& curve, int steps) {
  MidpointTable table;
  table.spaced = spaced_sigmas(config, curve, as_float32(spaced_timesteps(config, steps)), steps);
  if (config.sigma_kind == SigmaKind::Karras) {
    table.spaced.timesteps = rounded(std::move(table.spaced.timesteps));
  }
  std::vector<double> sigmas = table.spaced.sigmas;
  sigmas.push_back(0.0);
  table.sigmas = sigma_tensor(sigmas);
  return table;
}

/// t0, between, t1, between, ..., t(n - 1): `between` begins at midpoints[first].
std::vector<double> interleaved(const MidpointTable& table, const SigmaCurve& curve,
                                const at::Tensor& midpoints, std::int64_t first) {
  std::vector<double> timesteps = {table.spaced.timesteps[0]};
  for (std::size_t i = 1; i < table.spaced.timesteps.size(); ++i) {
    const auto at = static_cast<std::int64_t>(i) - 1 + first;
    timesteps.push_back(curve.timestep_of_float32(midpoints[at].item<float>()));
    timesteps.push_back(table.spaced.timesteps[i]);
  }
  return timesteps;
}

/// What both have in common: a call at the step's start leads to a point in its middle, the slope
/// there leads over the whole step. The step to zero is one call.
class Midpoint : public SigmaSampler {
 protected:
  using SigmaSampler::SigmaSampler;

  std::int64_t step_number() const { return static_cast<std::int64_t>(index() / 2); }
  virtual at::Tensor middle() const = 0;  // sigma
  virtual at::Tensor end() const = 0;     // sigma

  at::Tensor input_sigma() const override { return is_half_done() ? middle() : sigma(index()); }
  bool is_half_done() const { return start_.defined(); }

  at::Tensor step(const at::Tensor& model_output) override {
    const bool is_second = is_half_done();
    const at::Tensor from = sigma(static_cast<std::size_t>(2 * step_number()));
    const at::Tensor here = is_second ? middle() : from;
    const at::Tensor original = predicted(original_of(latents(), model_output, here));
    const at::Tensor slope = (latents() - original) / here;
    if (!is_second) {
      start_ = latents();
      return start_ + slope * (middle() - from);
    }
    const at::Tensor next = start_ + slope * (end() - from);
    start_ = at::Tensor();
    return next;
  }

 private:
  at::Tensor start_;  // of the step that is half done; undefined: none is
};

/// diffusers' KDPM2DiscreteScheduler.
class Dpm2 final : public Midpoint {
 public:
  Dpm2(const SchedulerConfig& config, const SchedulerStart& start) : Midpoint(config, start) {
    const SigmaCurve curve(alphas_cumprod(config_, ZeroSignal::Kept));
    const MidpointTable table = midpoint_table(config_, curve, start.steps);
    // Entry k + 1 lies between sigma k and sigma k + 1, geometrically; the last one is zero.
    middles_ = table.sigmas.log().lerp(table.sigmas.roll(1).log(), 0.5).exp();
    begin_with_sigmas(interleaved(table, curve, middles_, /*first=*/1), of_calls(table.sigmas),
                      /*calls_per_step=*/2);
  }

 private:
  at::Tensor middle() const override { return middles_[step_number() + 1]; }
  at::Tensor end() const override { return sigma(static_cast<std::size_t>(2 * step_number() + 1)); }

  at::Tensor middles_;  // [n + 1]
};

/// diffusers' KDPM2AncestralDiscreteScheduler: a step down further than asked, then fresh noise.
class Dpm2Ancestral final : public Midpoint {
 public:
  Dpm2Ancestral(const SchedulerConfig& config, const SchedulerStart& start)
      : Midpoint(config, start) {
    const SigmaCurve curve(alphas_cumprod(config_, ZeroSignal::Kept));
    const MidpointTable table = midpoint_table(config_, curve, start.steps);
    const at::Tensor next = table.sigmas.roll(-1);
    next[-1].fill_(0.0);
    const at::Tensor square = table.sigmas.pow(2);
    ups_ = (next.pow(2) * (square - next.pow(2)) / square).sqrt();
    downs_ = (next.pow(2) - ups_.pow(2)).sqrt();
    downs_[-1].fill_(0.0);
    middles_ = table.sigmas.log().lerp(downs_.log(), 0.5).exp();
    middles_.slice(0, -2).fill_(0.0);
    begin_with_sigmas(interleaved(table, curve, middles_, /*first=*/0), of_calls(table.sigmas),
                      /*calls_per_step=*/2);
  }

 private:
  at::Tensor middle() const override { return middles_[step_number()]; }
  at::Tensor end() const override { return downs_[step_number()]; }

  at::Tensor step(const at::Tensor& model_output) override {
    const bool is_second = is_half_done();
    at::Tensor next = Midpoint::step(model_output);
    if (is_second) next = next + draw(model_output.scalar_type()) * ups_[step_number()];
    return next;
  }

  at::Tensor middles_, ups_, downs_;  // [n + 1]
};

}  // namespace

std::unique_ptr<Scheduler> make_dpm2(const SchedulerConfig& config, const SchedulerStart& start) {
  return std::make_unique<Dpm2>(config, start);
}

std::unique_ptr<Scheduler> make_dpm2_ancestral(const SchedulerConfig& config,
                                               const SchedulerStart& start) {
  return std::make_unique<Dpm2Ancestral>(config, start);
}

}  // namespace ssd1b
