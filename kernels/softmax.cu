#include <cstdint>
#include <type_traits>

#include "elements.cuh"
#include "kernels.h"

namespace ssd1b {
namespace {

constexpr int kWarp = 32;
constexpr int kThreads = 512;

/// The largest of some scores and the sum of exp2(score - largest), scores in units of log 2.
struct Mass {
  float largest, sum;
};

__device__ Mass merge(Mass a, Mass b) {
  const float largest = fmaxf(a.largest, b.largest);
  if (largest == -INFINITY) return {largest, 0.0f};
  return {largest, a.sum * exp2f(a.largest - largest) + b.sum * exp2f(b.largest - largest)};
}

__device__ Mass merge_warp(Mass mass) {
  for (int apart = kWarp / 2; apart > 0; apart /= 2) {
    mass = merge(mass, {__shfl_xor_sync(0xffffffffu, mass.largest, apart),
                        __shfl_xor_sync(0xffffffffu, mass.sum, apart)});
  }
  return mass;
}

/// Of all threads of the block, in each of them.
__device__ Mass merge_block(Mass mass) {
  constexpr int warps = kThreads / kWarp;
  __shared__ Mass of_warps[warps];
  const int lane = static_cast<int>(threadIdx.x) % kWarp;
  mass = merge_warp(mass);
  if (lane == 0) of_warps[threadIdx.x / kWarp] = mass;
  __syncthreads();
  return merge_warp(lane < warps ? of_warps[lane] : Mass{-INFINITY, 0.0f});
}

/// One block a row: once for its mass, then, out of the cache, for its values.
template <typename T>
__global__ void __launch_bounds__(kThreads)
    softmax(const Vector<float>* scores, Vector<T>* output, int vectors, float scale, float total) {
  const Vector<float>* row = scores + static_cast<std::int64_t>(blockIdx.x) * vectors;
  Mass mass{-INFINITY, 0.0f};
  for (int at = static_cast<int>(threadIdx.x); at < vectors; at += kThreads) {
    const Vector<float> loaded = row[at];
    float largest = loaded.at[0];
#pragma unroll
    for (int i = 1; i < kWideVector; ++i) largest = fmaxf(largest, loaded.at[i]);
    Mass here{largest * scale, 0.0f};
#pragma unroll
    for (int i = 0; i < kWideVector; ++i) here.sum += exp2f(loaded.at[i] * scale - here.largest);
    mass = merge(mass, here);
  }
  mass = merge_block(mass);
  const float share = total / mass.sum;
  Vector<T>* result = output + static_cast<std::int64_t>(blockIdx.x) * vectors;
  for (int at = static_cast<int>(threadIdx.x); at < vectors; at += kThreads) {
    const Vector<float> loaded = row[at];
    Vector<T> values;
#pragma unroll
    for (int i = 0; i < kWideVector; ++i) {
      values.at[i] = from_float<T>(exp2f(loaded.at[i] * scale - mass.largest) * share);
    }
    result[at] = values;
  }
}

}  // namespace
}  // namespace ssd1b

extern "C" int ssd1b_softmax(const Ssd1bSoftmax* call, void* stream) {
  if (call->columns % ssd1b::kWideVector != 0 || call->scale <= 0.0) return cudaErrorInvalidValue;
  return ssd1b::with_dtype(call->dtype, [&](auto* type) {
    using T = std::remove_pointer_t<decltype(type)>;
    constexpr double log2_of_e = 1.4426950408889634;
    ssd1b::softmax<T><<<static_cast<unsigned>(call->rows), ssd1b::kThreads, 0,
                        static_cast<cudaStream_t>(stream)>>>(
        reinterpret_cast<const ssd1b::Vector<float>*>(call->scores),
        static_cast<ssd1b::Vector<T>*>(call->output),
        static_cast<int>(call->columns / ssd1b::kWideVector),
        static_cast<float>(call->scale * log2_of_e), static_cast<float>(call->total));
    return static_cast<int>(cudaGetLastError());
  });
}
