#pragma once

#include <vector>

#include "inference/schedulers/scheduler_config.h"

namespace ssd1b {

/// `count` numbers from `start` to `stop`, both included (one: `start`).
std::vector<double> evenly_spaced(double start, double stop, int count);

/// Training timesteps of `steps` steps, falling, as Euler, Heun, DDIM and their kin choose them:
/// linspace is not rounded yet. "trailing" may give one more than `steps`, as in diffusers, where
/// num_train_timesteps / steps is rounded down.
std::vector<double> spaced_timesteps(const SchedulerConfig& config, int steps);

/// The same as the solvers (DPM++, UniPC, DEIS) choose them: `steps` whole timesteps out of
/// steps + 1, below `last_timestep`.
std::vector<double> solver_timesteps(const SchedulerConfig& config, int last_timestep, int steps);

/// Whole timesteps of LCM and TCD: `steps` of the `original_inference_steps` they were distilled
/// on.
std::vector<double> distilled_timesteps(const SchedulerConfig& config, int steps);

/// Every value but the first twice: the calls of schedulers that take two a step.
std::vector<double> doubled_after_first(const std::vector<double>& values);

/// Every value rounded to the nearest whole number, halves to even.
std::vector<double> rounded(std::vector<double> values);
/// Every value cut to a whole number.
std::vector<double> truncated(std::vector<double> values);
/// Every value rounded to float32.
std::vector<double> as_float32(std::vector<double> values);

}  // namespace ssd1b
