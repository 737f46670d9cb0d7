#pragma once

#include <vector>

#include "inference/schedulers/scheduler_config.h"

namespace ssd1b {

// How many UNet calls `steps` steps of a scheduler are, known from its settings alone, of a
// picture from its beginning. 0: it cannot make that many steps.

/// DDIM and its kin: one a step, one more where "trailing" gives one timestep more.
int count_spaced(const SchedulerConfig& config, int steps);
/// Euler: the same, and one more where timesteps are made of "log_linear" sigmas.
int count_euler(const SchedulerConfig& config, int steps);
/// Heun, DPM2, DPM++ SDE: two a step but for the last.
int count_second_order(const SchedulerConfig& config, int steps);
/// PNDM: one repeated call, or four calls in each of the first three steps.
int count_pndm(const SchedulerConfig& config, int steps);
/// UniPC, DEIS: the solvers' spacing.
int count_solver(const SchedulerConfig& config, int steps);
/// DPM++ multistep: the same, without the timesteps that lambda_min_clipped cuts off.
int count_clipped_solver(const SchedulerConfig& config, int steps);
/// LCM, TCD and DPM++ singlestep: as many as there are steps.
int count_steps(const SchedulerConfig& config, int steps);

}  // namespace ssd1b
