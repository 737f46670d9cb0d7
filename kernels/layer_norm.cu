#include <cstdint>
#include <type_traits>

#include "elements.cuh"
#include "kernels.h"

namespace ssd1b {
namespace {

constexpr int kWarp = 32;
constexpr int kWarps = 4;                                            // of a block
constexpr int kMostVectors = kSsd1bWidestRow / kWideVector / kWarp;  // of a lane

template <typename T>
struct LayerNorm {
  Vector<T>* stream;
  const Vector<T>* added;
  const Vector<T>* rest;
  const Vector<T>* weight;
  const Vector<T>* bias;
  Vector<T>* output;
  std::int64_t rows, first_added, first_normed;
  int vectors;  // of a row
  float eps;
};

__device__ float add_warp(float value) {
  for (int apart = kWarp / 2; apart > 0; apart /= 2) {
    value += __shfl_xor_sync(0xffffffffu, value, apart);
  }
  return value;
}

/// Adds what belongs to the row to `loaded` and to the stream, rounded as it is kept there.
template <typename T, int kVectors>
__device__ void add_row(const LayerNorm<T>& norm, std::int64_t row, int lane,
                        Vector<T> (&loaded)[kVectors]) {
  const Vector<T>* added =
      row < norm.first_added ? norm.rest : norm.added + (row - norm.first_added) * norm.vectors;
  Vector<T>* stream = norm.stream + row * norm.vectors;
#pragma unroll
  for (int i = 0; i < kVectors; ++i) {
    const int at = lane + i * kWarp;
    if (at >= norm.vectors) continue;
    const Vector<T> more = added[at];
#pragma unroll
    for (int k = 0; k < kWideVector; ++k) {
      loaded[i].at[k] = from_float<T>(to_float(loaded[i].at[k]) + to_float(more.at[k]));
    }
    stream[at] = loaded[i];
  }
}

/// One warp a row, which stays in its registers: the mean first, then the squares about it.
template <typename T, int kVectors>
__global__ void __launch_bounds__(kWarps* kWarp) normalise_rows(LayerNorm<T> norm) {
  const std::int64_t row =
      static_cast<std::int64_t>(blockIdx.x) * kWarps + static_cast<int>(threadIdx.x) / kWarp;
  if (row >= norm.rows) return;
  const int lane = static_cast<int>(threadIdx.x) % kWarp;
  const float share = 1.0f / static_cast<float>(norm.vectors * kWideVector);
  Vector<T>* stream = norm.stream + row * norm.vectors;
  Vector<T> loaded[kVectors];
#pragma unroll
  for (int i = 0; i < kVectors; ++i) {
    const int at = lane + i * kWarp;
    if (at < norm.vectors) loaded[i] = stream[at];
  }
  if (norm.added != nullptr || norm.rest != nullptr) {
    add_row<T, kVectors>(norm, row, lane, loaded);
  }
  if (row < norm.first_normed) return;
  float sum = 0.0f;
#pragma unroll
  for (int i = 0; i < kVectors; ++i) {
    if (lane + i * kWarp >= norm.vectors) continue;
#pragma unroll
    for (int k = 0; k < kWideVector; ++k) sum += to_float(loaded[i].at[k]);
  }
  const float mean = add_warp(sum) * share;
  float squares = 0.0f;
#pragma unroll
  for (int i = 0; i < kVectors; ++i) {
    if (lane + i * kWarp >= norm.vectors) continue;
#pragma unroll
    for (int k = 0; k < kWideVector; ++k) {
      const float above = to_float(loaded[i].at[k]) - mean;
      squares += above * above;
    }
  }
  const float scale = 1.0f / sqrtf(add_warp(squares) * share + norm.eps);
  Vector<T>* output = norm.output + (row - norm.first_normed) * norm.vectors;
#pragma unroll
  for (int i = 0; i < kVectors; ++i) {
    const int at = lane + i * kWarp;
    if (at >= norm.vectors) continue;
    const Vector<T> weight = norm.weight[at], bias = norm.bias[at];
    Vector<T> result;
#pragma unroll
    for (int k = 0; k < kWideVector; ++k) {
      const float normed = (to_float(loaded[i].at[k]) - mean) * scale;
      result.at[k] = from_float<T>(normed * to_float(weight.at[k]) + to_float(bias.at[k]));
    }
    output[at] = result;
  }
}

/// With the fewest vectors a lane, of a series of such numbers, that hold a row.
template <typename T, int kVectors = 1>
int launch(const LayerNorm<T>& norm, cudaStream_t stream) {
  if constexpr (kVectors <= kMostVectors) {
    constexpr int more = kVectors + (kVectors + 1) / 2;  // 1, 2, 3, 5, 8
    if (norm.vectors > kVectors * kWarp) return launch<T, more>(norm, stream);
    const auto blocks = static_cast<unsigned>((norm.rows + kWarps - 1) / kWarps);
    normalise_rows<T, kVectors><<<blocks, kWarps * kWarp, 0, stream>>>(norm);
    return cudaGetLastError();
  }
  return cudaErrorInvalidValue;
}

}  // namespace
}  // namespace ssd1b

extern "C" int ssd1b_layer_norm(const Ssd1bLayerNorm* call, void* stream) {
  const bool adds_nothing = call->added == nullptr && call->rest == nullptr;
  const bool has_rest = call->rest != nullptr || call->first_added == 0;
  const bool has_added = call->added != nullptr || call->first_added == call->rows;
  if (call->width % ssd1b::kWideVector != 0 || !(adds_nothing || (has_rest && has_added))) {
    return cudaErrorInvalidValue;
  }
  return ssd1b::with_dtype(call->dtype, [&](auto* type) {
    using T = std::remove_pointer_t<decltype(type)>;
    using V = ssd1b::Vector<T>;
    ssd1b::LayerNorm<T> norm{};
    norm.stream = static_cast<V*>(call->stream);
    norm.added = static_cast<const V*>(call->added);
    norm.rest = static_cast<const V*>(call->rest);
    norm.weight = static_cast<const V*>(call->weight);
    norm.bias = static_cast<const V*>(call->bias);
    norm.output = static_cast<V*>(call->output);
    norm.rows = call->rows;
    norm.first_added = call->first_added;
    norm.first_normed = call->first_normed;
    norm.vectors = static_cast<int>(call->width / ssd1b::kWideVector);
    norm.eps = static_cast<float>(call->eps);
    return ssd1b::launch<T>(norm, static_cast<cudaStream_t>(stream));
  });
}
