#include <cstdint>
#include <type_traits>

#include "elements.cuh"
#include "kernels.h"

namespace ssd1b {
namespace {

constexpr int kThreads = 256;

unsigned blocks_for(std::int64_t count) {
  return static_cast<unsigned>((count + kThreads - 1) / kThreads);
}

/// x * Phi(x), torch's gelu without approximation. In half precisions by the error function's
/// formula 7.1.26 of Abramowitz and Stegun, which is shorter. Phi(-|x|) stays a product, where
/// 1 + erf(x) cancels for x far below zero: rounded to half, fewer results are not the nearest.
template <typename T>
__device__ float gelu(float x) {
  if constexpr (sizeof(T) == sizeof(float)) {
    return 0.5f * x * (1.0f + erff(x * 0.70710678118654752f));
  } else {
    const float z = fabsf(x) * 0.70710678f;
    const float t = __fdividef(1.0f, 1.0f + 0.3275911f * z);
    const float series =
        t * (0.254829592f +
             t * (-0.284496736f + t * (1.421413741f + t * (-1.453152027f + t * 1.061405429f))));
    const float tail = 0.5f * series * __expf(-z * z);  // Phi(-|x|)
    return x >= 0.0f ? x - x * tail : x * tail;
  }
}

/// One thread a vector of results.
template <typename T>
__global__ void geglu(const T* __restrict__ input, T* __restrict__ output, std::int64_t vectors,
                      std::int64_t width) {
  const std::int64_t index = static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  if (index >= vectors) return;
  const std::int64_t token = index * kWideVector / width;
  const T* row = input + (index + token * (width / kWideVector)) * kWideVector;
  const auto value = *reinterpret_cast<const Vector<T>*>(row);
  const auto gate = *reinterpret_cast<const Vector<T>*>(row + width);
  Vector<T> result;
#pragma unroll
  for (int i = 0; i < kWideVector; ++i) {
    const float opened = rounded<T>(gelu<T>(to_float(gate.at[i])));
    result.at[i] = from_float<T>(to_float(value.at[i]) * opened);
  }
  reinterpret_cast<Vector<T>*>(output)[index] = result;
}

template <typename T>
struct Sum {
  const Vector<T>* a;
  const Vector<T>* b;
  const Vector<T>* shifts[2];
  Vector<T>* output;
  unsigned vectors, of_row;  // of all rows, of one
};

template <typename T>
__device__ void add_to(float (&sum)[kWideVector], const Vector<T>& added) {
#pragma unroll
  for (int i = 0; i < kWideVector; ++i) sum[i] += to_float(added.at[i]);
}

constexpr int kAtOnce = 4;  // vectors of a thread of `add`

/// Loads all its vectors before it uses the first.
template <typename T>
__global__ void add(Sum<T> sum) {
  const unsigned first = blockIdx.x * (kAtOnce * kThreads) + threadIdx.x;
  Vector<T> a[kAtOnce], b[kAtOnce];
#pragma unroll
  for (int i = 0; i < kAtOnce; ++i) {
    const unsigned at = min(first + i * kThreads, sum.vectors - 1);
    a[i] = sum.a[at];
    if (sum.b != nullptr) b[i] = sum.b[at];
  }
#pragma unroll
  for (int i = 0; i < kAtOnce; ++i) {
    const unsigned at = first + i * kThreads;
    if (at >= sum.vectors) return;
    float total[kWideVector] = {};
    add_to(total, a[i]);
    if (sum.b != nullptr) add_to(total, b[i]);
    for (const Vector<T>* shift : sum.shifts) {
      if (shift != nullptr) add_to(total, shift[at % sum.of_row]);
    }
    Vector<T> result;
    for (int k = 0; k < kWideVector; ++k) result.at[k] = from_float<T>(total[k]);
    sum.output[at] = result;
  }
}

template <typename T>
struct Interleaving {
  const Vector<T>* parts;
  const Vector<T>* bias;
  Vector<T>* output;
  unsigned height, width, vectors;  // of a part less its row and column of no use; of a pixel
};

/// One thread a vector of the output, block (row of all pictures, stretch of the row).
template <typename T>
__global__ void interleave(Interleaving<T> work) {
  const unsigned at = blockIdx.y * kThreads + threadIdx.x;
  if (at >= 2 * work.width * work.vectors) return;
  const unsigned vector = at % work.vectors, x = at / work.vectors;
  const unsigned picture = blockIdx.x / (2 * work.height), y = blockIdx.x % (2 * work.height);
  const unsigned row = y % 2, column = x % 2;
  const std::int64_t line = static_cast<std::int64_t>(picture) * (work.height + 1) + y / 2 + row;
  const std::int64_t pixel = line * (work.width + 1) + x / 2 + column;
  const unsigned part = 2 * row + column;
  float total[kWideVector] = {};
  add_to(total, work.parts[(4 * pixel + part) * work.vectors + vector]);
  add_to(total, work.bias[vector]);
  Vector<T> result;
  for (int k = 0; k < kWideVector; ++k) result.at[k] = from_float<T>(total[k]);
  work.output[static_cast<std::int64_t>(blockIdx.x) * 2 * work.width * work.vectors + at] = result;
}

struct Strides {
  std::int64_t channel, row, column;
};

/// One thread a byte, in the order of memory.
template <typename T>
__global__ void to_bytes(const T* input, Strides strides, std::uint8_t* output, std::int64_t count,
                         std::int64_t width) {
  const std::int64_t index = static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  if (index >= count) return;
  const std::int64_t channel = index % 3;
  const std::int64_t column = index / 3 % width;
  const std::int64_t row = index / 3 / width;
  const float pixel =
      to_float(input[channel * strides.channel + row * strides.row + column * strides.column]);
  const float unit = rounded<T>(rounded<T>(pixel * 0.5f) + 0.5f);
  const float level = fminf(fmaxf(unit, 0.0f), 1.0f) * 255.0f;
  output[index] = static_cast<std::uint8_t>(rintf(level));  // half to even
}

}  // namespace
}  // namespace ssd1b

extern "C" int ssd1b_geglu(const void* input, void* output, std::int64_t tokens, std::int64_t width,
                           int dtype, void* stream) {
  if (width % ssd1b::kWideVector != 0) return cudaErrorInvalidValue;
  return ssd1b::with_dtype(dtype, [&](auto* type) {
    using T = std::remove_pointer_t<decltype(type)>;
    const std::int64_t vectors = tokens * width / ssd1b::kWideVector;
    ssd1b::geglu<T>
        <<<ssd1b::blocks_for(vectors), ssd1b::kThreads, 0, static_cast<cudaStream_t>(stream)>>>(
            static_cast<const T*>(input), static_cast<T*>(output), vectors, width);
    return static_cast<int>(cudaGetLastError());
  });
}

extern "C" int ssd1b_add(const Ssd1bAdd* call, void* stream) {
  const std::int64_t elements = call->rows * call->channels;
  if (call->channels % ssd1b::kWideVector != 0 || elements < 1 || elements > kSsd1bMostAdded) {
    return cudaErrorInvalidValue;
  }
  const std::int64_t vectors = elements / ssd1b::kWideVector;
  return ssd1b::with_dtype(call->dtype, [&](auto* type) {
    using V = ssd1b::Vector<std::remove_pointer_t<decltype(type)>>;
    ssd1b::Sum<std::remove_pointer_t<decltype(type)>> sum{};
    sum.a = static_cast<const V*>(call->a);
    sum.b = static_cast<const V*>(call->b);
    sum.shifts[0] = static_cast<const V*>(call->shifts[0]);
    sum.shifts[1] = static_cast<const V*>(call->shifts[1]);
    sum.output = static_cast<V*>(call->output);
    sum.vectors = static_cast<unsigned>(vectors);
    sum.of_row = static_cast<unsigned>(call->channels / ssd1b::kWideVector);
    const unsigned blocks = ssd1b::blocks_for((vectors + ssd1b::kAtOnce - 1) / ssd1b::kAtOnce);
    ssd1b::add<<<blocks, ssd1b::kThreads, 0, static_cast<cudaStream_t>(stream)>>>(sum);
    return static_cast<int>(cudaGetLastError());
  });
}

extern "C" int ssd1b_interleave(const Ssd1bInterleave* call, void* stream) {
  if (call->channels % ssd1b::kWideVector != 0) return cudaErrorInvalidValue;
  return ssd1b::with_dtype(call->dtype, [&](auto* type) {
    using T = std::remove_pointer_t<decltype(type)>;
    const std::int64_t vectors = call->channels / ssd1b::kWideVector;
    const ssd1b::Interleaving<T> work{static_cast<const ssd1b::Vector<T>*>(call->parts),
                                      static_cast<const ssd1b::Vector<T>*>(call->bias),
                                      static_cast<ssd1b::Vector<T>*>(call->output),
                                      static_cast<unsigned>(call->height),
                                      static_cast<unsigned>(call->width),
                                      static_cast<unsigned>(vectors)};
    const dim3 blocks(static_cast<unsigned>(call->pictures * 2 * call->height),
                      ssd1b::blocks_for(2 * call->width * vectors));
    ssd1b::interleave<<<blocks, ssd1b::kThreads, 0, static_cast<cudaStream_t>(stream)>>>(work);
    return static_cast<int>(cudaGetLastError());
  });
}

extern "C" int ssd1b_to_bytes(const void* input, const std::int64_t* strides, std::uint8_t* output,
                              std::int64_t height, std::int64_t width, int dtype, void* stream) {
  return ssd1b::with_dtype(dtype, [&](auto* type) {
    using T = std::remove_pointer_t<decltype(type)>;
    const std::int64_t count = height * width * 3;
    ssd1b::to_bytes<T>
        <<<ssd1b::blocks_for(count), ssd1b::kThreads, 0, static_cast<cudaStream_t>(stream)>>>(
            static_cast<const T*>(input), {strides[0], strides[1], strides[2]}, output, count,
            width);
    return static_cast<int>(cudaGetLastError());
  });
}
