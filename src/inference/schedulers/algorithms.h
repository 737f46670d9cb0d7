#pragma once

#include <memory>

#include "inference/schedulers/scheduler.h"
#include "inference/schedulers/scheduler_config.h"

namespace ssd1b {

// Each makes the scheduler of one diffusers class, ready for its first call; `start.steps` is at
// least 1. Throw Error(InvalidValue) for a start_index beyond the schedule.

std::unique_ptr<Scheduler> make_ddim(const SchedulerConfig& config, const SchedulerStart& start);
std::unique_ptr<Scheduler> make_ddpm(const SchedulerConfig& config, const SchedulerStart& start);
std::unique_ptr<Scheduler> make_deis(const SchedulerConfig& config, const SchedulerStart& start);
std::unique_ptr<Scheduler> make_dpm2(const SchedulerConfig& config, const SchedulerStart& start);
std::unique_ptr<Scheduler> make_dpm2_ancestral(const SchedulerConfig& config,
                                               const SchedulerStart& start);
std::unique_ptr<Scheduler> make_dpm_multistep(const SchedulerConfig& config,
                                              const SchedulerStart& start);
std::unique_ptr<Scheduler> make_dpm_sde(const SchedulerConfig& config, const SchedulerStart& start);
std::unique_ptr<Scheduler> make_dpm_singlestep(const SchedulerConfig& config,
                                               const SchedulerStart& start);
std::unique_ptr<Scheduler> make_euler(const SchedulerConfig& config, const SchedulerStart& start);
std::unique_ptr<Scheduler> make_euler_ancestral(const SchedulerConfig& config,
                                                const SchedulerStart& start);
std::unique_ptr<Scheduler> make_heun(const SchedulerConfig& config, const SchedulerStart& start);
std::unique_ptr<Scheduler> make_lcm(const SchedulerConfig& config, const SchedulerStart& start);
std::unique_ptr<Scheduler> make_lms(const SchedulerConfig& config, const SchedulerStart& start);
std::unique_ptr<Scheduler> make_pndm(const SchedulerConfig& config, const SchedulerStart& start);
std::unique_ptr<Scheduler> make_tcd(const SchedulerConfig& config, const SchedulerStart& start);
std::unique_ptr<Scheduler> make_unipc(const SchedulerConfig& config, const SchedulerStart& start);

}  // namespace ssd1b
