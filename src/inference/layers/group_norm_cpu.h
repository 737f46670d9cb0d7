#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "inference/layers/activation.h"

namespace ssd1b {

/// Whether channels_last_group_norm takes this tensor.
bool can_use_channels_last_group_norm(const at::Tensor& input);

/// at::group_norm of a channels-last tensor [B, C, h, w] on the CPU, in float32 or bfloat16, and
/// the activation (None or Silu) behind it in the same pass. ATen's own kernel for this layout sums
/// pixel by pixel in float32, which loses three digits in a picture of 1024 x 1024; here sums are
/// carried in double. The result does not depend on the number of threads.
at::Tensor channels_last_group_norm(const at::Tensor& input, const at::Tensor& weight,
                                    const at::Tensor& bias, std::int64_t groups, double eps,
                                    Activation activation);

}  // namespace ssd1b
