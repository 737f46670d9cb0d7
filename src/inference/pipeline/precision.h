#pragma once

#include <c10/core/ScalarType.h>

#include <optional>
#include <string>

namespace ssd1b {

/// The dtypes that a model computes in.
struct Precision {
  at::ScalarType networks = at::kFloat;  // text encoders and UNet
  at::ScalarType vae = at::kFloat;

  /// Whether the VAE may give infinities that it does not give in float32; bfloat16 reaches as far.
  bool vae_may_overflow() const { return vae == at::kHalf; }
};

/// Follows the fixed rule behind `auto`: float32 on the CPU, float16 on CUDA; for the VAE the
/// networks' dtype, but where it overflows in float16 (`vae_needs_upcast`) bfloat16 on a GPU that
/// has it, and float32 elsewhere and where the networks compute in float32. `capability` is the
/// GPU's, its first number; nullopt: the CPU. Throws Error(Usage) for an unknown name.
Precision choose_precision(const std::string& dtype, const std::string& vae_dtype,
                           std::optional<int> capability, bool vae_needs_upcast);

}  // namespace ssd1b
