#pragma once

#include <algorithm>
#include <cstdint>
#include <numeric>

namespace ssd1b {

constexpr int kNormThreads = 256;  // of a block
constexpr int kNormVector = 8;     // channels that a thread loads at once: 16 bytes of halves
constexpr int kNormRows = 4;       // rows that a thread loads before it uses the first

/// How the channels-last GroupNorm divides [B, rows, channels]: a block takes whole groups (a tile
/// of channels) of a chunk of rows of one picture, as many rows side by side as its threads allow.
/// All of it follows from the shape of one picture, and sums of chunks are added in an order of
/// their own: neither the other pictures nor which block was first can change the result.
struct NormPlan {
  // Plain numbers: the device reads them, and may call nothing of the host's.
  std::int64_t rows = 0, channels = 0, groups = 0, group_channels = 0;
  std::int64_t vector_channels = 0;  // that a thread loads at once, if the pointers are aligned
  std::int64_t tile_channels = 0, tile_groups = 0, tiles = 0;
  std::int64_t team = 0;  // neighbouring threads, a power of two, that add up one group of a tile
  std::int64_t chunk_rows = 0, chunks = 0;
  bool adds_apart = false;  // the chunks' sums in a kernel of its own, not in each block again

  /// Sums by chunk, then mean and 1 / deviation: floats of the buffer between the passes.
  std::int64_t partial_floats(std::int64_t pictures) const {
    return pictures * groups * (chunks + 1) * 2;
  }
};

/// Whether the kernel takes this shape: pairs of channels in one group, groups that fit a tile.
inline bool can_plan_norm(std::int64_t channels, std::int64_t groups) {
  constexpr std::int64_t most = 512;
  return groups > 0 && channels % groups == 0 && channels / groups % 2 == 0 &&
         channels / groups <= most;
}

/// Tiles of whole groups and whole vectors; of one size where that costs less than half a tile.
inline void divide_channels(NormPlan& plan) {
  constexpr std::int64_t limit = 2 * kNormThreads;  // pairs of channels must do for any pointer
  plan.vector_channels = kNormVector;
  std::int64_t unit = std::lcm(plan.group_channels, plan.vector_channels);
  if (plan.channels % unit != 0 || unit > limit) {
    plan.vector_channels = 2;
    unit = plan.group_channels;
  }
  const std::int64_t units = plan.channels / unit;
  const std::int64_t most = std::min(limit / unit, units);
  std::int64_t tile_units = most;
  while (units % tile_units != 0 && tile_units > most / 2) --tile_units;
  if (units % tile_units != 0) tile_units = most;
  plan.tile_channels = tile_units * unit;
  plan.tile_groups = plan.tile_channels / plan.group_channels;
  plan.tiles = (plan.channels + plan.tile_channels - 1) / plan.tile_channels;
  plan.team = 1;
  while (plan.team < 32 && 2 * plan.team * plan.tile_groups <= kNormThreads) plan.team *= 2;
}

/// Chunks of whole batches: the rows that a block loads before it uses the first.
inline void divide_rows(NormPlan& plan) {
  constexpr std::int64_t few_chunks = 128;    // each block can read the sums of so many
  constexpr std::int64_t most_chunks = 2048;  // fills the multiprocessors several times
  constexpr std::int64_t long_chunk = 6;      // batches: fewer blocks than that would starve
  const std::int64_t side_by_side = kNormThreads * plan.vector_channels / plan.tile_channels;
  const std::int64_t batch = kNormRows * side_by_side;
  const std::int64_t batches = (plan.rows + batch - 1) / batch;
  std::int64_t of_chunk = (batches + few_chunks - 1) / few_chunks;
  plan.adds_apart = of_chunk > long_chunk;
  if (plan.adds_apart) {
    of_chunk = std::max<std::int64_t>(2, (batches + most_chunks - 1) / most_chunks);
  }
  plan.chunk_rows = std::max<std::int64_t>(1, of_chunk) * batch;
  plan.chunks = (plan.rows + plan.chunk_rows - 1) / plan.chunk_rows;
}

inline NormPlan plan_norm(std::int64_t rows, std::int64_t channels, std::int64_t groups) {
  NormPlan plan{rows, channels, groups, channels / groups};
  divide_channels(plan);
  divide_rows(plan);
  return plan;
}

}  // namespace ssd1b
