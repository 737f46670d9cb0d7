#pragma once

#include <cuda_bf16.h>
#include <cuda_fp16.h>

#include <cstdint>

#include "kernels.h"

namespace ssd1b {

/// Neighbouring elements that are loaded and stored at once: 16 bytes at a time where they are
/// kWideVector, element by element otherwise.
constexpr int kWideVector = kSsd1bVector;
template <typename T, int kWidth = kWideVector>
struct alignas(kWidth == kWideVector ? kSsd1bAlignment : alignof(T)) Vector {
  T at[kWidth];
};

inline bool is_aligned(const void* pointer) {
  return reinterpret_cast<std::uintptr_t>(pointer) % kSsd1bAlignment == 0;
}

__device__ inline float to_float(float value) { return value; }
__device__ inline float to_float(__half value) { return __half2float(value); }
__device__ inline float to_float(__nv_bfloat16 value) { return __bfloat162float(value); }

/// To the nearest, ties to even.
template <typename T>
__device__ inline T from_float(float value);
template <>
__device__ inline float from_float<float>(float value) {
  return value;
}
template <>
__device__ inline __half from_float<__half>(float value) {
  return __float2half_rn(value);
}
template <>
__device__ inline __nv_bfloat16 from_float<__nv_bfloat16>(float value) {
  return __float2bfloat16_rn(value);
}

/// As float, rounded to T between: what an operation of torch leaves in memory.
template <typename T>
__device__ inline float rounded(float value) {
  return to_float(from_float<T>(value));
}

/// Calls `function` with a null pointer of the element type that `dtype` numbers.
template <typename Function>
int with_dtype(int dtype, Function function) {
  switch (dtype) {
    case 0:
      return function(static_cast<float*>(nullptr));
    case 1:
      return function(static_cast<__half*>(nullptr));
    case 2:
      return function(static_cast<__nv_bfloat16*>(nullptr));
    default:
      return cudaErrorInvalidValue;
  }
}

}  // namespace ssd1b
