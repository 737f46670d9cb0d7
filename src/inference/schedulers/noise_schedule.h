#pragma once

#include <ATen/core/Tensor.h>

#include "inference/schedulers/scheduler_config.h"

namespace ssd1b {

/// What a class does about the last timestep of betas rescaled to zero signal.
enum class ZeroSignal { Kept, Bounded };

/// Product of (1 - beta) up to every training timestep, [num_train_timesteps] float32: diffusers'
/// alphas_cumprod, in the arithmetic (float32) that diffusers computes it in. `Bounded` keeps the
/// last one of rescaled betas above zero, so that its sigma is finite.
at::Tensor alphas_cumprod(const SchedulerConfig& config, ZeroSignal zero_signal);

}  // namespace ssd1b
