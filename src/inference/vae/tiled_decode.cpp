#include "inference/vae/tiled_decode.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <utility>
#include <vector>

namespace ssd1b {
namespace {

constexpr std::int64_t kHeight = 2, kWidth = 3;  // dimensions of [1, 3, H, W]

/// Fades the start of `tile` along a dimension, in place, out of the end of the tile before it.
void blend(const at::Tensor& before, const at::Tensor& tile, std::int64_t dim,
           std::int64_t most_pixels) {
  const std::int64_t pixels = std::min({before.size(dim), tile.size(dim), most_pixels});
  std::vector<std::int64_t> shape(4, 1);
  shape[dim] = pixels;
  const at::Tensor weight =
      (at::arange(pixels, tile.options()) / static_cast<double>(pixels)).view(shape);
  const at::Tensor start = tile.narrow(dim, 0, pixels);
  const at::Tensor end = before.narrow(dim, before.size(dim) - pixels, pixels);
  start.copy_(end * (1 - weight) + start * weight);
}

at::Tensor cut(const at::Tensor& tile, std::int64_t side) {
  return tile.narrow(kHeight, 0, std::min(side, tile.size(kHeight)))
      .narrow(kWidth, 0, std::min(side, tile.size(kWidth)));
}

}  // namespace

at::Tensor decode_in_tiles(const Vae& vae, const at::Tensor& latents, std::int64_t tile,
                           const Tick& tick) {
  const std::int64_t step = tile - tile / 4;
  const std::int64_t overlap_px = tile / 4 * vae.config.scale();
  const std::int64_t kept_px = step * vae.config.scale();
  std::vector<at::Tensor> rows;
  std::vector<at::Tensor> above;  // the row of tiles before
  for (std::int64_t top = 0; top < latents.size(2); top += step) {
    std::vector<at::Tensor> row, pieces;
    for (std::int64_t left = 0; left < latents.size(3); left += step) {
      const at::Tensor part = latents.narrow(2, top, std::min(tile, latents.size(2) - top))
                                  .narrow(3, left, std::min(tile, latents.size(3) - left));
      row.push_back(vae.decode(part, tick));
      const std::size_t column = row.size() - 1;
      if (!above.empty()) blend(above[column], row.back(), kHeight, overlap_px);
      if (column > 0) blend(row[column - 1], row.back(), kWidth, overlap_px);
      pieces.push_back(cut(row.back(), kept_px));
    }
    rows.push_back(at::cat(pieces, kWidth));
    above = std::move(row);
  }
  return at::cat(rows, kHeight);
}

}  // namespace ssd1b
