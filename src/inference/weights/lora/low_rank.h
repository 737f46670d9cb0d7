#pragma once

#include <ATen/core/Tensor.h>

#include <string>

#include "inference/weights/bind.h"

namespace ssd1b {

/// weight += factor * up down, in float32 and in place; `weight` is the whole matrix or
/// convolution. Blocks on the disk. Throws Error(BadModel) where the change holds NaN or infinity,
/// with file, tensor and index.
void add_low_rank(const LowRankUpdate& update, at::Tensor& weight);

/// Throws Error(BadModel) where a changed weight is not finite in its dtype.
void check_merged(const Binding& binding, const at::Tensor& value);

}  // namespace ssd1b
