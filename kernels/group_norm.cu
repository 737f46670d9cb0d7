#include <cstdint>
#include <type_traits>

#include "elements.cuh"
#include "kernels.h"
#include "norm_plan.h"

namespace ssd1b {
namespace {

constexpr int kThreads = kNormThreads;

/// Blocks at once on a multiprocessor, for which its registers must do.
template <typename T>
constexpr int kBlocks = sizeof(T) == sizeof(float) ? 3 : 4;

/// What is added to the input by channel, in float. Both may be null.
template <typename T>
struct Shift {
  const T* of_channels;  // [channels]
  const T* of_pictures;  // [pictures, channels], `stride` elements apart
  std::int64_t stride;

  __device__ float of(std::int64_t picture, int channel) const {
    float shift = 0.0f;
    if (of_channels != nullptr) shift += to_float(of_channels[channel]);
    if (of_pictures != nullptr) shift += to_float(of_pictures[picture * stride + channel]);
    return shift;
  }
};

/// What all blocks of a call read.
template <typename T>
struct Norm {
  const T* input;
  const T* weight;
  const T* bias;
  Shift<T> shift;
  T* output;
  float2* sums;        // [pictures, groups, chunks] of x - pivot and of its square
  float2* statistics;  // [pictures, groups] mean and 1 / standard deviation
  NormPlan plan;
  double share;  // of one element in its group's mean
  float eps;
  bool silu;
};

static_assert(kNormVector == kWideVector, "vectors of the plan are loaded at once");

/// The part of a thread: a vector of channels of some rows of a chunk.
struct Part {
  std::int64_t offset;               // of the chunk's first row, at `channel`
  int channel;                       // the first of the vector
  int row, rows_side_by_side, rows;  // its first row, the step to its next, the chunk's end
  bool works;
};

/// Block (chunk, tile, picture).
template <int kWidth>
__device__ Part part_of(const NormPlan& plan, dim3 block) {
  const int vectors = static_cast<int>(plan.tile_channels) / kWidth;
  const int thread = static_cast<int>(threadIdx.x);
  const std::int64_t first_row = block.x * plan.chunk_rows;
  Part part;
  part.channel = static_cast<int>(block.y * plan.tile_channels) + thread % vectors * kWidth;
  part.row = thread / vectors;
  part.rows_side_by_side = kThreads / vectors;
  part.rows = static_cast<int>(min(plan.chunk_rows, plan.rows - first_row));
  part.works = part.row < part.rows_side_by_side && part.channel < plan.channels;
  part.offset = (block.z * plan.rows + first_row) * plan.channels + part.channel;
  return part;
}

/// Calls use(offset, vector) for each row of the part. Rows are loaded several at a time, whatever
/// `use` does; beyond the end the last one is loaded again and left.
template <int kWidth, typename T, typename Use>
__device__ void for_each_row(const T* __restrict__ input, const Part& part, int channels, Use use) {
  using Loaded = Vector<T, kWidth>;
  const T* __restrict__ chunk = input + part.offset;
  for (int row = part.row; row < part.rows; row += kNormRows * part.rows_side_by_side) {
    Loaded loaded[kNormRows];
#pragma unroll
    for (int i = 0; i < kNormRows; ++i) {
      const int at = min(row + i * part.rows_side_by_side, part.rows - 1);
      loaded[i] =
          *reinterpret_cast<const Loaded*>(chunk + static_cast<std::int64_t>(at) * channels);
    }
#pragma unroll
    for (int i = 0; i < kNormRows; ++i) {
      const int at = row + i * part.rows_side_by_side;
      if (at < part.rows) use(part.offset + static_cast<std::int64_t>(at) * channels, loaded[i]);
    }
  }
}

/// The value that a group's elements are counted from: keeps squares small where the mean is far
/// from zero. The same in all passes and in all chunks.
template <typename T>
__device__ float pivot_of(const Norm<T>& norm, std::int64_t picture, int group) {
  const NormPlan& plan = norm.plan;
  const int channel = group * static_cast<int>(plan.group_channels);
  return to_float(norm.input[picture * plan.rows * plan.channels + channel]) +
         norm.shift.of(picture, channel);
}

/// Of all lanes of a team, in each of them. The whole warp calls this.
template <typename Number>
__device__ Number add_team(Number value, int team) {
  for (int apart = team / 2; apart > 0; apart /= 2) {
    value += __shfl_xor_sync(0xffffffffu, value, apart);
  }
  return value;
}

/// Sums of a group of the tile over [rows side by side, pairs of the tile], in each lane of its
/// team. The whole warp calls this; teams without a group get zero.
__device__ float2 sums_of_group(const float2* pairs, const NormPlan& plan, int rows) {
  const int team = static_cast<int>(plan.team), tile_group = threadIdx.x / team;
  const int tile_pairs = static_cast<int>(plan.tile_channels) / 2;
  const int group_pairs = static_cast<int>(plan.group_channels) / 2;
  const int count = tile_group < plan.tile_groups ? rows * group_pairs : 0;
  float2 total = {};
  for (int i = threadIdx.x % team; i < count; i += team) {
    const int row = i / group_pairs, pair = tile_group * group_pairs + i % group_pairs;
    total.x += pairs[row * tile_pairs + pair].x;
    total.y += pairs[row * tile_pairs + pair].y;
  }
  return {add_team(total.x, team), add_team(total.y, team)};
}

/// First pass: the sums of a chunk, by group. Block (chunk, tile, picture).
template <typename T, int kWidth>
__global__ void __launch_bounds__(kThreads, kBlocks<T>) sum_chunks(Norm<T> norm) {
  constexpr int kPairs = kWidth / 2;  // a pair is in one group, a vector may be in several
  const NormPlan& plan = norm.plan;
  const Part part = part_of<kWidth>(plan, dim3(blockIdx.x, blockIdx.y, blockIdx.z));
  __shared__ float2 pairs[kThreads * kPairs];  // [rows side by side, pairs of the tile]
  float2 own[kPairs] = {};
  if (part.works) {
    float above[kWidth];  // what is added to a channel, less its group's pivot
#pragma unroll
    for (int i = 0; i < kWidth; ++i) {
      const int group = (part.channel + i / 2 * 2) / static_cast<int>(plan.group_channels);
      above[i] = norm.shift.of(blockIdx.z, part.channel + i) - pivot_of(norm, blockIdx.z, group);
    }
    const auto add = [&](std::int64_t, const Vector<T, kWidth>& vector) {
#pragma unroll
      for (int pair = 0; pair < kPairs; ++pair) {
        const float a = to_float(vector.at[2 * pair]) + above[2 * pair];
        const float b = to_float(vector.at[2 * pair + 1]) + above[2 * pair + 1];
        own[pair].x += a + b;
        own[pair].y += a * a + b * b;
      }
    };
    for_each_row<kWidth>(norm.input, part, static_cast<int>(plan.channels), add);
  }
#pragma unroll
  for (int pair = 0; pair < kPairs; ++pair) pairs[threadIdx.x * kPairs + pair] = own[pair];
  __syncthreads();
  const float2 total = sums_of_group(pairs, plan, part.rows_side_by_side);
  const std::int64_t tile_group = threadIdx.x / plan.team;
  const std::int64_t group = blockIdx.y * plan.tile_groups + tile_group;
  const bool leads = threadIdx.x % plan.team == 0 && tile_group < plan.tile_groups;
  if (!leads || group >= plan.groups) return;
  norm.sums[(blockIdx.z * plan.groups + group) * plan.chunks + blockIdx.x] = total;
}

/// Mean and 1 / standard deviation of a group of a picture, in each lane of the team that adds its
/// chunks, kAtOnce loads at a time. The whole warp calls this; lanes without a group give -1.
template <int kAtOnce, typename T>
__device__ float2 statistics_of(const Norm<T>& norm, std::int64_t picture, int group, int team) {
  const NormPlan& plan = norm.plan;
  const int chunks = group < 0 ? 0 : static_cast<int>(plan.chunks);
  const float2* sums = norm.sums + (picture * plan.groups + group) * plan.chunks;
  double sum = 0.0, square = 0.0;
  for (int first = threadIdx.x % team; first < chunks; first += kAtOnce * team) {
    float2 loaded[kAtOnce];
#pragma unroll
    for (int i = 0; i < kAtOnce; ++i) loaded[i] = sums[min(first + i * team, chunks - 1)];
#pragma unroll
    for (int i = 0; i < kAtOnce; ++i) {
      sum += first + i * team < chunks ? loaded[i].x : 0.0f;
      square += first + i * team < chunks ? loaded[i].y : 0.0f;
    }
  }
  const double above = add_team(sum, team) * norm.share;  // the mean less the pivot
  const double variance = add_team(square, team) * norm.share - above * above;
  const float pivot = group < 0 ? 0.0f : pivot_of(norm, picture, group);
  return {static_cast<float>(above + pivot),
          1.0f / sqrtf((variance > 0.0 ? static_cast<float>(variance) : 0.0f) + norm.eps)};
}

/// Between the passes, where chunks are many: one warp a block (group, picture).
template <typename T>
__global__ void __launch_bounds__(32) add_chunks(Norm<T> norm) {
  const int group = static_cast<int>(blockIdx.x);
  const float2 statistics = statistics_of<16>(norm, blockIdx.y, group, 32);
  if (threadIdx.x == 0) norm.statistics[blockIdx.y * norm.plan.groups + group] = statistics;
}

/// The fast forms keep far more digits than a half or a bfloat16 has.
template <typename T>
__device__ float silu(float x) {
  if constexpr (sizeof(T) == sizeof(float)) {
    return x / (1.0f + expf(-x));
  } else {
    return __fdividef(x, 1.0f + __expf(-x));
  }
}

/// Fills `statistics` by group of the tile. The whole block calls this and waits.
template <typename T>
__device__ void find_statistics(const Norm<T>& norm, dim3 block, float2* statistics) {
  const NormPlan& plan = norm.plan;
  const int team = static_cast<int>(plan.team), tile_group = threadIdx.x / team;
  const int group = static_cast<int>(block.y * plan.tile_groups) + tile_group;
  const bool has_group = tile_group < plan.tile_groups && group < plan.groups;
  if (!plan.adds_apart) {
    const float2 found = statistics_of<8>(norm, block.z, has_group ? group : -1, team);
    if (has_group) statistics[tile_group] = found;
  } else if (has_group) {
    statistics[tile_group] = norm.statistics[block.z * plan.groups + group];
  }
  __syncthreads();
}

/// Second pass. Block (chunk, tile, picture), the last first: what the first pass read last may
/// still be in the cache.
template <typename T, int kWidth>
__global__ void __launch_bounds__(kThreads, kBlocks<T>) normalise(Norm<T> norm) {
  const NormPlan& plan = norm.plan;
  const dim3 block(gridDim.x - 1 - blockIdx.x, gridDim.y - 1 - blockIdx.y,
                   gridDim.z - 1 - blockIdx.z);
  const Part part = part_of<kWidth>(plan, block);
  float scale[kWidth], shift[kWidth], added[kWidth];  // loaded before the wait
#pragma unroll
  for (int i = 0; i < kWidth; ++i) {
    scale[i] = part.works ? to_float(norm.weight[part.channel + i]) : 0.0f;
    shift[i] = part.works ? to_float(norm.bias[part.channel + i]) : 0.0f;
    added[i] = part.works ? norm.shift.of(block.z, part.channel + i) : 0.0f;
  }
  __shared__ float2 statistics[kThreads];
  find_statistics(norm, block, statistics);
  if (!part.works) return;
  const int first_group = static_cast<int>(block.y * plan.tile_groups);
#pragma unroll
  for (int i = 0; i < kWidth; ++i) {
    const int group = (part.channel + i / 2 * 2) / static_cast<int>(plan.group_channels);
    scale[i] *= statistics[group - first_group].y;
    shift[i] += (added[i] - statistics[group - first_group].x) * scale[i];
  }
  const auto store = [&](std::int64_t at, const Vector<T, kWidth>& vector) {
    Vector<T, kWidth> result;
    if (norm.silu) {
      for (int i = 0; i < kWidth; ++i) {
        result.at[i] = from_float<T>(silu<T>(to_float(vector.at[i]) * scale[i] + shift[i]));
      }
    } else {
      for (int i = 0; i < kWidth; ++i) {
        result.at[i] = from_float<T>(to_float(vector.at[i]) * scale[i] + shift[i]);
      }
    }
    *reinterpret_cast<Vector<T, kWidth>*>(norm.output + at) = result;
  };
  for_each_row<kWidth>(norm.input, part, static_cast<int>(plan.channels), store);
}

template <typename T, int kWidth>
int launch(const Norm<T>& norm, unsigned pictures, cudaStream_t stream) {
  const NormPlan& plan = norm.plan;
  const dim3 blocks(static_cast<unsigned>(plan.chunks), static_cast<unsigned>(plan.tiles),
                    pictures);
  sum_chunks<T, kWidth><<<blocks, kThreads, 0, stream>>>(norm);
  if (const cudaError_t error = cudaGetLastError(); error != cudaSuccess) return error;
  if (plan.adds_apart) {
    add_chunks<T><<<dim3(static_cast<unsigned>(plan.groups), pictures), 32, 0, stream>>>(norm);
    if (const cudaError_t error = cudaGetLastError(); error != cudaSuccess) return error;
  }
  normalise<T, kWidth><<<blocks, kThreads, 0, stream>>>(norm);
  return cudaGetLastError();
}

template <typename T>
int plan_and_launch(const Ssd1bGroupNorm& call, cudaStream_t stream) {
  Norm<T> norm{};
  norm.plan = plan_norm(call.rows, call.channels, call.groups);
  norm.input = static_cast<const T*>(call.input);
  norm.weight = static_cast<const T*>(call.weight);
  norm.bias = static_cast<const T*>(call.bias);
  norm.shift = {static_cast<const T*>(call.shift_of_channels),
                static_cast<const T*>(call.shift_of_pictures), call.shift_stride};
  norm.output = static_cast<T*>(call.output);
  norm.sums = reinterpret_cast<float2*>(call.partial);
  norm.statistics = norm.sums + call.pictures * norm.plan.groups * norm.plan.chunks;
  norm.share = 1.0 / (static_cast<double>(call.rows) * norm.plan.group_channels);
  norm.eps = static_cast<float>(call.eps);
  norm.silu = call.silu != 0;
  const bool is_wide =
      norm.plan.vector_channels == kNormVector && is_aligned(call.input) && is_aligned(call.output);
  const auto pictures = static_cast<unsigned>(call.pictures);
  return is_wide ? launch<T, kNormVector>(norm, pictures, stream)
                 : launch<T, 2>(norm, pictures, stream);
}

}  // namespace
}  // namespace ssd1b

extern "C" int ssd1b_group_norm(const Ssd1bGroupNorm* call, void* stream) {
  if (!ssd1b::can_plan_norm(call->channels, call->groups)) return cudaErrorInvalidValue;
  return ssd1b::with_dtype(call->dtype, [&](auto* type) {
    using T = std::remove_pointer_t<decltype(type)>;
    return ssd1b::plan_and_launch<T>(*call, static_cast<cudaStream_t>(stream));
  });
}

extern "C" int ssd1b_kernels_version() { return kSsd1bKernelsVersion; }
