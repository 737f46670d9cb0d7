#pragma once

#include <ATen/core/Tensor.h>

#include <array>
#include <cstdint>
#include <optional>

#include "inference/layers/activation.h"

namespace ssd1b {

struct Addition;
struct GroupNorm;
struct LayerNorm;
struct Unbiased;

// Our own CUDA kernels (kernels/). Each answers nullopt or false where ATen is to do its work: on
// the CPU, for shapes that it does not take, and before prove_cuda_kernels has found that it agrees
// with ATen on this device.

/// Activation(norm(input + time)), None or Silu, of a channels-last picture [B, C, h, w]; `time`
/// [B, C] may be undefined.
std::optional<at::Tensor> cuda_group_norm(const Unbiased& input, const at::Tensor& time,
                                          const GroupNorm& norm, Activation activation);

/// LayerNorm::after_adding.
std::optional<at::Tensor> cuda_layer_norm(const at::Tensor& stream, const Addition& added,
                                          const LayerNorm& norm, std::int64_t first);

/// softmax(scale * scores) over the last dimension of float [..., columns], in `dtype`, times
/// `total`: a share of many is too small a number for float16.
std::optional<at::Tensor> cuda_softmax(const at::Tensor& scores, double scale, double total,
                                       at::ScalarType dtype);
/// Whether cuda_softmax takes rows of that many columns for results like `like`.
bool can_cuda_softmax(const at::Tensor& like, std::int64_t columns);

/// Whether cuda_add takes channels-last pictures of that many channels and the dtype of `input`.
bool can_cuda_add(const at::Tensor& input, std::int64_t channels);
/// picture += other + shifts, each [C], all at once. `other` and shifts may be undefined.
bool cuda_add(const at::Tensor& picture, const at::Tensor& other,
              const std::array<at::Tensor, 2>& shifts);

/// Whether cuda_interleave takes parts of 4 `channels` channels.
bool can_cuda_interleave(const c10::Device& device, at::ScalarType dtype, std::int64_t channels);
/// The four convolutions of an upsampling, channels-last [B, 4 C, h + 1, w + 1] in the order of
/// upsampling_kernels, and bias [C] -> [B, C, 2 h, 2 w].
std::optional<at::Tensor> cuda_interleave(const at::Tensor& parts, const at::Tensor& bias);

/// Values and gates [B, T, 2 D] -> values * gelu(gates), [B, T, D].
std::optional<at::Tensor> cuda_geglu(const at::Tensor& both);

/// Pixels [1, 3, H, W] about -1..1 -> bytes [H, W, 3].
std::optional<at::Tensor> cuda_to_bytes(const at::Tensor& pixels);

/// The twin of cuda_to_bytes, on any device: clamped, rounded half to even, as diffusers does.
at::Tensor aten_to_bytes(const at::Tensor& pixels);

}  // namespace ssd1b
