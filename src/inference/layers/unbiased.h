#pragma once

#include <ATen/core/Tensor.h>

namespace ssd1b {

/// A picture and what is still to be added to each of its channels. On a GPU a convolution adds its
/// bias in a pass over memory of its own; to the kernel that reads the picture next it costs
/// nothing.
struct Unbiased {
  at::Tensor picture;  // [B, C, h, w]
  at::Tensor bias;     // [C]; undefined: the picture has it
};

/// The picture with its bias, in its place.
at::Tensor settle(const Unbiased& unbiased);
/// The sum of both, in the first one's place. The second stays as it is where it has its bias.
at::Tensor add(const Unbiased& first, const Unbiased& second);

}  // namespace ssd1b
