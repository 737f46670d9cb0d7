#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <utility>
#include <vector>

namespace ssd1b {

/// Of the rows of one picture: those without a prompt come first.
struct RowCounts {
  std::int64_t without_prompt, with_prompt;
};

/// The rows of pictures that share a UNet call: first those without a prompt, as the UNet wants it,
/// then those with one, each in the order of the pictures.
class RowOrder {
 public:
  explicit RowOrder(std::vector<RowCounts> pictures) : pictures_(std::move(pictures)) {}

  /// One tensor a picture, [its rows, ...] -> [all rows, ...]
  at::Tensor join(const std::vector<at::Tensor>& parts) const;
  /// [all rows, ...] -> one tensor a picture, [its rows, ...]
  std::vector<at::Tensor> split(const at::Tensor& joined) const;

 private:
  const std::vector<RowCounts> pictures_;
};

}  // namespace ssd1b
