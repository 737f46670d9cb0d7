#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <optional>
#include <vector>

namespace ssd1b {

/// The layout in which oneDNN wants a matrix, written by ourselves: in the same pass that reads a
/// file, where oneDNN needs a second one over memory that is not in the cache any more.
///
/// Outputs come in blocks. Within a block one input follows another, each with its numbers for all
/// outputs of the block; inputs of two bytes come in pairs. That this is oneDNN's layout on a
/// processor is not assumed, but seen from what it makes of a matrix.
class PackedLayout {
 public:
  /// How `plain` [outputs, inputs] lies in `arranged`, which oneDNN made of it; nullopt where it
  /// lies in another way. Its numbers must tell one place from another.
  static std::optional<PackedLayout> of(const at::Tensor& plain, const at::Tensor& arranged);

  /// Outputs of a block.
  std::int64_t rows() const { return rows_; }
  /// From `rows()` rows of a matrix of this shape to their bytes of `arranged`.
  void pack(const void* plain, void* packed) const;
  /// What oneDNN would have made of the matrix whose packed rows are in `packed`, which must stay
  /// as long as this tensor is used.
  at::Tensor tensor_of(const at::Tensor& packed) const;

 private:
  PackedLayout() = default;
  bool is_of(const at::Tensor& plain, const at::Tensor& arranged) const;

  std::vector<std::int64_t> shape_;
  at::Tensor description_;  // oneDNN's own, opaque
  std::int64_t rows_ = 0;
  std::int64_t words_ = 0;  // of a row: an input in float32, two inputs of two bytes
};

}  // namespace ssd1b
