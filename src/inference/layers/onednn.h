#pragma once

#include <ATen/core/Tensor.h>

#include <cstddef>
#include <cstdint>
#include <optional>

namespace ssd1b {

/// Products of oneDNN with weights that were brought into its own layout once: ATen brings them
/// there at every call, or multiplies with MKL, which is slower on processors of other makers.

/// Whether these functions can be used for weights of this dtype on this machine.
bool has_onednn(at::ScalarType dtype);

/// [outputs, inputs] in the layout of onednn_linear for `rows` rows of input.
at::Tensor onednn_matrix(const at::Tensor& weight, std::int64_t rows);
/// at::linear.
at::Tensor onednn_linear(const at::Tensor& input, const at::Tensor& matrix,
                         const std::optional<at::Tensor>& bias);

/// gelu(at::linear), rounded once.
at::Tensor onednn_linear_gelu(const at::Tensor& input, const at::Tensor& matrix,
                              const at::Tensor& bias);
/// at::linear times `factor` of the result's shape, rounded once.
at::Tensor onednn_linear_times(const at::Tensor& input, const at::Tensor& matrix,
                               const at::Tensor& bias, const at::Tensor& factor);

/// A size of input, of a convolution.
struct PictureSize {
  std::int64_t pictures, height, width;
};

/// [Cout, Cin, k, k] in the layout of onednn_conv2d with stride 1 and this padding, for inputs of
/// this size.
at::Tensor onednn_kernel(const at::Tensor& weight, std::int64_t padding, const PictureSize& size);
/// at::conv2d with stride 1. A channels-last input gives a channels-last result.
at::Tensor onednn_conv2d(const at::Tensor& input, const at::Tensor& kernel, const at::Tensor& bias,
                         std::int64_t padding);

/// The bytes of a tensor of these layouts.
struct MemoryView {
  const void* data = nullptr;
  std::size_t bytes = 0;
};
MemoryView onednn_memory(const at::Tensor& arranged);
bool has_same_bytes(const at::Tensor& one, const at::Tensor& other);

/// oneDNN's description of a layout, as bytes of its own.
at::Tensor onednn_description(const at::Tensor& arranged);
/// A tensor of this shape and layout whose bytes are those of `memory`, which must stay as long as
/// it is used.
at::Tensor onednn_view(const at::Tensor& memory, at::IntArrayRef shape,
                       const at::Tensor& description);

}  // namespace ssd1b
