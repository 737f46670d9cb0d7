#include "inference/schedulers/call_count.h"

#include "inference/schedulers/dpm_solver.h"
#include "inference/schedulers/noise_schedule.h"
#include "inference/schedulers/timestep_spacing.h"

namespace ssd1b {
namespace {

/// Sigmas spread between two ends are as many as there are steps; else every timestep has its own.
bool has_own_timesteps(const SchedulerConfig& config) {
  return config.sigma_kind == SigmaKind::Plain;
}

int size_of(const std::vector<double>& timesteps) { return static_cast<int>(timesteps.size()); }

int count_below(const SchedulerConfig& config, int last_timestep, int steps) {
  if (!has_own_timesteps(config)) return steps;
  return size_of(solver_timesteps(config, last_timestep, steps));
}

}  // namespace

int count_spaced(const SchedulerConfig& config, int steps) {
  return has_own_timesteps(config) ? size_of(spaced_timesteps(config, steps)) : steps;
}

int count_euler(const SchedulerConfig& config, int steps) {
  const bool has_one_more = has_own_timesteps(config) && config.log_linear_interpolation &&
                            config.has_timesteps_of_sigmas();
  return has_one_more ? steps + 1 : count_spaced(config, steps);
}

int count_second_order(const SchedulerConfig& config, int steps) {
  return 2 * count_spaced(config, steps) - 1;
}

int count_pndm(const SchedulerConfig& config, int steps) {
  constexpr int kRungeKuttaSteps = 3;
  constexpr int kRungeKuttaCalls = 12;
  const int count = count_spaced(config, steps);
  if (config.skip_prk_steps) return count > 1 ? count + 1 : count;
  return count > kRungeKuttaSteps ? count - kRungeKuttaSteps + kRungeKuttaCalls : 0;
}

int count_solver(const SchedulerConfig& config, int steps) {
  return count_below(config, config.num_train_timesteps, steps);
}

int count_clipped_solver(const SchedulerConfig& config, int steps) {
  const bool is_trailing = config.timestep_spacing == TimestepSpacing::Trailing;
  if (!is_trailing) return steps;  // the others spread their steps over what is left
  const int clipped = timesteps_clipped(config, alphas_cumprod(config, ZeroSignal::Bounded));
  return count_below(config, config.num_train_timesteps - clipped, steps);
}

int count_steps(const SchedulerConfig&, int steps) { return steps; }

}  // namespace ssd1b
