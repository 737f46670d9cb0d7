#pragma once

#include <cstdint>

namespace ssd1b {

/// How the channels-last GroupNorm divides [B, rows, channels]: a block takes whole groups (a tile
/// of channels) of a chunk of rows of one picture. Sums of chunks are added in order, so that the
/// result does not depend on which block was first.
struct NormPlan {
  // Plain numbers: the device reads them, and may call nothing of the host's.
  std::int64_t rows = 0, channels = 0, groups = 0, group_channels = 0;
  std::int64_t tile_channels = 0, tile_groups = 0, tiles = 0;
  std::int64_t chunk_rows = 0, chunks = 0;

  /// Floats of the buffer between the two passes, for `pictures` pictures.
  std::int64_t partial_floats(std::int64_t pictures) const {
    return pictures * chunks * groups * 2;
  }
};

/// Whether the kernel takes this shape: pairs of channels in one group, groups that fit a tile.
inline bool can_plan_norm(std::int64_t channels, std::int64_t groups) {
  constexpr std::int64_t most = 512;
  return groups > 0 && channels % groups == 0 && channels / groups % 2 == 0 &&
         channels / groups <= most;
}

inline NormPlan plan_norm(std::int64_t rows, std::int64_t channels, std::int64_t groups) {
  constexpr std::int64_t tile_limit = 512;  // channels; two a thread
  constexpr std::int64_t least_rows = 32;   // of a chunk: fewer would be all overhead
  constexpr std::int64_t most_chunks = 128;
  NormPlan plan{rows, channels, groups, channels / groups};
  const std::int64_t per_tile = tile_limit / plan.group_channels;
  plan.tile_groups = per_tile < groups ? per_tile : groups;
  plan.tile_channels = plan.tile_groups * plan.group_channels;
  plan.tiles = (channels + plan.tile_channels - 1) / plan.tile_channels;
  const std::int64_t by_count = (rows + most_chunks - 1) / most_chunks;
  plan.chunk_rows = by_count > least_rows ? by_count : least_rows;
  plan.chunks = (rows + plan.chunk_rows - 1) / plan.chunk_rows;
  return plan;
}

}  // namespace ssd1b
