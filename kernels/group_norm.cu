#include <cstdint>
#include <type_traits>

#include "elements.cuh"
#include "kernels.h"
#include "norm_plan.h"

namespace ssd1b {
namespace {

constexpr int kThreads = 256;  // one a pair of channels of a tile of at most 512

/// What all blocks of a call read.
struct Shape {
  NormPlan plan;
  float eps;
  bool silu;
};

/// The value that a group's elements are counted from: keeps squares small where the mean is far
/// from zero. The same in both passes and in all chunks.
template <typename T>
__device__ float pivot_of(const T* picture, const NormPlan& plan, std::int64_t group) {
  return to_float(picture[group * plan.group_channels]);
}

/// Sums of x - pivot and of its square over a chunk, by group: partial [pictures, chunks, groups,
/// 2]. Block (chunk, tile, picture).
template <typename T>
__global__ void sum_chunks(const T* input, float* partial, Shape shape) {
  const NormPlan& plan = shape.plan;
  const T* picture = input + blockIdx.z * plan.rows * plan.channels;
  const std::int64_t first_channel = blockIdx.y * plan.tile_channels;
  const std::int64_t channel = first_channel + 2 * threadIdx.x;
  const bool works = 2 * threadIdx.x < plan.tile_channels && channel < plan.channels;
  __shared__ float sums[kThreads], squares[kThreads];
  float sum = 0.0f, square = 0.0f;
  if (works) {
    const float pivot = pivot_of(picture, plan, channel / plan.group_channels);
    const std::int64_t begin = blockIdx.x * plan.chunk_rows;
    const std::int64_t end = min(begin + plan.chunk_rows, plan.rows);
    for (std::int64_t row = begin; row < end; ++row) {
      const auto pair =
          *reinterpret_cast<const typename Pair<T>::Type*>(picture + row * plan.channels + channel);
      const float a = to_float(pair.x) - pivot;
      const float b = to_float(pair.y) - pivot;
      sum += a + b;
      square += a * a + b * b;
    }
  }
  sums[threadIdx.x] = sum;
  squares[threadIdx.x] = square;
  __syncthreads();
  const std::int64_t group = first_channel / plan.group_channels + threadIdx.x;
  if (threadIdx.x >= plan.tile_groups || group >= plan.groups) return;
  const std::int64_t pairs = plan.group_channels / 2;
  float group_sum = 0.0f, group_square = 0.0f;
  for (std::int64_t i = 0; i < pairs; ++i) {
    group_sum += sums[threadIdx.x * pairs + i];
    group_square += squares[threadIdx.x * pairs + i];
  }
  const std::int64_t at = (blockIdx.z * plan.chunks + blockIdx.x) * plan.groups + group;
  partial[2 * at] = group_sum;
  partial[2 * at + 1] = group_square;
}

/// Mean and 1 / standard deviation of a group of a picture from the sums of its chunks.
template <typename T>
__device__ void statistics_of(const T* picture, const float* partial, const Shape& shape,
                              std::int64_t group, float& mean, float& inverse) {
  const NormPlan& plan = shape.plan;
  double sum = 0.0, square = 0.0;
  for (std::int64_t chunk = 0; chunk < plan.chunks; ++chunk) {
    const std::int64_t at = (blockIdx.z * plan.chunks + chunk) * plan.groups + group;
    sum += partial[2 * at];
    square += partial[2 * at + 1];
  }
  const double count = static_cast<double>(plan.rows) * plan.group_channels;
  const double above = sum / count;  // the mean less the pivot
  const double variance = square / count - above * above;
  mean = static_cast<float>(above + pivot_of(picture, plan, group));
  inverse = static_cast<float>(1.0 / sqrt((variance > 0.0 ? variance : 0.0) + shape.eps));
}

/// Block (chunk, tile, picture), as above.
template <typename T>
__global__ void normalise(const T* input, const T* weight, const T* bias, const float* partial,
                          T* output, Shape shape) {
  const NormPlan& plan = shape.plan;
  const std::int64_t picture = blockIdx.z * plan.rows * plan.channels;
  const std::int64_t first_channel = blockIdx.y * plan.tile_channels;
  const std::int64_t first_group = first_channel / plan.group_channels;
  __shared__ float means[kThreads], inverses[kThreads];
  if (threadIdx.x < plan.tile_groups && first_group + threadIdx.x < plan.groups) {
    statistics_of(input + picture, partial, shape, first_group + threadIdx.x, means[threadIdx.x],
                  inverses[threadIdx.x]);
  }
  __syncthreads();
  const std::int64_t channel = first_channel + 2 * threadIdx.x;
  if (2 * threadIdx.x >= plan.tile_channels || channel >= plan.channels) return;
  const std::int64_t group = channel / plan.group_channels - first_group;
  const float scale_x = to_float(weight[channel]) * inverses[group];
  const float scale_y = to_float(weight[channel + 1]) * inverses[group];
  const float shift_x = to_float(bias[channel]) - means[group] * scale_x;
  const float shift_y = to_float(bias[channel + 1]) - means[group] * scale_y;
  const std::int64_t begin = blockIdx.x * plan.chunk_rows;
  const std::int64_t end = min(begin + plan.chunk_rows, plan.rows);
  for (std::int64_t row = begin; row < end; ++row) {
    const std::int64_t at = picture + row * plan.channels + channel;
    const auto pair = *reinterpret_cast<const typename Pair<T>::Type*>(input + at);
    float x = to_float(pair.x) * scale_x + shift_x;
    float y = to_float(pair.y) * scale_y + shift_y;
    if (shape.silu) {
      x = x / (1.0f + expf(-x));
      y = y / (1.0f + expf(-y));
    }
    typename Pair<T>::Type result;
    result.x = from_float<T>(x);
    result.y = from_float<T>(y);
    *reinterpret_cast<typename Pair<T>::Type*>(output + at) = result;
  }
}

template <typename T>
int launch(const Ssd1bGroupNorm& call, cudaStream_t stream) {
  const Shape shape{plan_norm(call.rows, call.channels, call.groups), static_cast<float>(call.eps),
                    call.silu != 0};
  const dim3 blocks(static_cast<unsigned>(shape.plan.chunks),
                    static_cast<unsigned>(shape.plan.tiles), static_cast<unsigned>(call.pictures));
  const auto* input = static_cast<const T*>(call.input);
  sum_chunks<T><<<blocks, kThreads, 0, stream>>>(input, call.partial, shape);
  if (const cudaError_t error = cudaGetLastError(); error != cudaSuccess) return error;
  normalise<T><<<blocks, kThreads, 0, stream>>>(input, static_cast<const T*>(call.weight),
                                                static_cast<const T*>(call.bias), call.partial,
                                                static_cast<T*>(call.output), shape);
  return cudaGetLastError();
}

}  // namespace
}  // namespace ssd1b

extern "C" int ssd1b_group_norm(const Ssd1bGroupNorm* call, void* stream) {
  if (!ssd1b::can_plan_norm(call->channels, call->groups)) return cudaErrorInvalidValue;
  return ssd1b::with_dtype(call->dtype, [&](auto* type) {
    using T = std::remove_pointer_t<decltype(type)>;
    return ssd1b::launch<T>(*call, static_cast<cudaStream_t>(stream));
  });
}

extern "C" int ssd1b_kernels_version() { return kSsd1bKernelsVersion; }
