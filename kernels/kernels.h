#pragma once

#include <cstdint>

// The interface of libssd1b_kernels.so: raw pointers to device memory, a CUDA stream as void*, and
// 0 or a cudaError_t in return. Nothing here waits. Element types: 0 float, 1 half, 2 bfloat16.
extern "C" {

/// Grows when anything below changes; what loads the library checks it.
constexpr int kSsd1bKernelsVersion = 2;
int ssd1b_kernels_version();

/// SiLU(group_norm(input)) of channels-last [pictures, rows, channels]. `partial`: room for
/// NormPlan::partial_floats, at a multiple of 8 bytes. `silu` 0: without SiLU. Fastest where input
/// and output are at multiples of 16 bytes; `output` is not `input`.
struct Ssd1bGroupNorm {
  const void* input;
  const void* weight;  // [channels]
  const void* bias;    // [channels]
  void* output;
  float* partial;
  std::int64_t pictures, rows, channels, groups;
  double eps;
  int silu;
  int dtype;
};
int ssd1b_group_norm(const Ssd1bGroupNorm* call, void* stream);

/// [tokens, 2 width], values then gates -> values * gelu(gates), [tokens, width]; width is even.
int ssd1b_geglu(const void* input, void* output, std::int64_t tokens, std::int64_t width, int dtype,
                void* stream);

/// One picture [3, height, width] about -1..1 with any strides (in elements) -> bytes
/// [height, width, 3], rounded as torch rounds it step by step.
int ssd1b_to_bytes(const void* input, const std::int64_t* strides, std::uint8_t* output,
                   std::int64_t height, std::int64_t width, int dtype, void* stream);
}
