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

/// x * Phi(x) with the error function itself, as torch's gelu without approximation.
__device__ float gelu(float x) { return 0.5f * x * (1.0f + erff(x * 0.70710678118654752f)); }

/// One thread a pair of results.
template <typename T>
__global__ void geglu(const T* input, T* output, std::int64_t pairs, std::int64_t width) {
  using Two = typename Pair<T>::Type;
  const std::int64_t index = static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  if (index >= pairs) return;
  const std::int64_t token = 2 * index / width;
  const std::int64_t column = 2 * index % width;
  const T* row = input + token * 2 * width + column;
  const Two value = *reinterpret_cast<const Two*>(row);
  const Two gate = *reinterpret_cast<const Two*>(row + width);
  Two result;
  result.x = from_float<T>(to_float(value.x) * rounded<T>(gelu(to_float(gate.x))));
  result.y = from_float<T>(to_float(value.y) * rounded<T>(gelu(to_float(gate.y))));
  *reinterpret_cast<Two*>(output + token * width + column) = result;
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
  if (width % 2 != 0) return cudaErrorInvalidValue;
  return ssd1b::with_dtype(dtype, [&](auto* type) {
    using T = std::remove_pointer_t<decltype(type)>;
    const std::int64_t pairs = tokens * width / 2;
    ssd1b::geglu<T>
        <<<ssd1b::blocks_for(pairs), ssd1b::kThreads, 0, static_cast<cudaStream_t>(stream)>>>(
            static_cast<const T*>(input), static_cast<T*>(output), pairs, width);
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
