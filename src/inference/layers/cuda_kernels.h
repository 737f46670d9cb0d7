#pragma once

#include <ATen/core/Tensor.h>
#include <c10/core/Device.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "inference/layers/activation.h"

namespace ssd1b {

// Our own CUDA kernels (kernels/), each beside what ATen does in its place. They are in a library
// of their own that is opened beside the program; none is used before prove_cuda_kernels has found
// that it agrees with ATen on this device.

/// What proving one kernel found.
struct KernelProof {
  std::string name;
  bool is_used = false;
  double difference = 0.0;  // the largest, beside values of about 1
  std::string why_not;
};

/// Opens the library, runs every kernel in `dtype` on `device` beside its twin of ATen and switches
/// on those that agree. Empty where the library is not there. Waits for the device. Used by the
/// device thread only, before the first network runs.
std::vector<KernelProof> prove_cuda_kernels(const c10::Device& device, at::ScalarType dtype);

/// Activation(group_norm(input)), None or Silu, of channels-last [B, C, h, w]; nullopt where ATen
/// is to do it.
std::optional<at::Tensor> cuda_group_norm(const at::Tensor& input, const at::Tensor& weight,
                                          const at::Tensor& bias, std::int64_t groups, double eps,
                                          Activation activation);

/// Values and gates [B, T, 2 D] -> values * gelu(gates), [B, T, D]; nullopt where ATen is to do it.
std::optional<at::Tensor> cuda_geglu(const at::Tensor& both);

/// Pixels [1, 3, H, W] about -1..1 -> bytes [H, W, 3]; nullopt where ATen is to do it.
std::optional<at::Tensor> cuda_to_bytes(const at::Tensor& pixels);

/// The twin of cuda_to_bytes, on any device: clamped, rounded half to even, as diffusers does.
at::Tensor aten_to_bytes(const at::Tensor& pixels);

}  // namespace ssd1b
