#include "inference/layers/onednn.h"

#include <ATen/ATen.h>
#include <ATen/core/List.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <c10/util/strides.h>
#include <torch/csrc/inductor/aoti_torch/c/shim.h>
#include <torch/csrc/inductor/aoti_torch/tensor_converter.h>

#include <array>
#include <cstring>
#include <optional>
#include <string_view>

namespace ssd1b {
namespace {

using Scalars = c10::List<std::optional<at::Scalar>>;
using Words = std::optional<std::string_view>;
using Sizes = at::IntArrayRef;
using MaybeTensor = std::optional<at::Tensor>;

using LinearFunction = at::Tensor(const at::Tensor&, const at::Tensor&, const MaybeTensor&,
                                  std::string_view, Scalars, Words);
using BinaryFunction = at::Tensor(const at::Tensor&, const at::Tensor&, const at::Tensor&,
                                  const MaybeTensor&, std::string_view);
using ConvFunction = at::Tensor(const at::Tensor&, const at::Tensor&, const MaybeTensor&, Sizes,
                                Sizes, Sizes, std::int64_t, std::string_view, Scalars, Words);
using MatrixFunction = at::Tensor(const at::Tensor&, std::optional<std::int64_t>);
using NumberFunction = std::int64_t(const at::Tensor&);
using KernelFunction = at::Tensor(const at::Tensor&, Sizes, Sizes, Sizes, std::int64_t,
                                  at::OptionalIntArrayRef);

/// An operator that libtorch has for its compiler, reached by its registered name.
template <typename Function>
c10::TypedOperatorHandle<Function> operator_named(const char* name, const char* overload = "") {
  return c10::Dispatcher::singleton().findSchemaOrThrow(name, overload).typed<Function>();
}

bool is_registered(const char* name, const char* overload = "") {
  return c10::Dispatcher::singleton().findSchema({name, overload}).has_value();
}

bool multiplies_bfloat16() {
  return is_registered("mkldnn::_is_mkldnn_bf16_supported") &&
         operator_named<bool()>("mkldnn::_is_mkldnn_bf16_supported").call();
}

constexpr std::array<std::int64_t, 2> kOnes = {1, 1};

at::Tensor linear_then(const char* activation, Words variant, const at::Tensor& input,
                       const at::Tensor& matrix, const MaybeTensor& bias) {
  static const auto linear = operator_named<LinearFunction>("mkldnn::_linear_pointwise");
  return linear.call(input, matrix, bias, activation, Scalars(), variant);
}

}  // namespace

bool has_onednn(at::ScalarType dtype) {
  if (!at::hasMKLDNN() || !at::globalContext().userEnabledMkldnn()) return false;
  for (const char* name :
       {"mkldnn::_linear_pointwise", "mkldnn::_convolution_pointwise",
        "mkldnn::_reorder_linear_weight", "mkldnn::_reorder_convolution_weight", "mkldnn::data_ptr",
        "mkldnn::_nbytes", "mkldnn::_get_mkldnn_serialized_md"}) {
    if (!is_registered(name)) return false;
  }
  if (!is_registered("mkldnn::_linear_pointwise", "binary")) return false;
  return dtype == at::kFloat || (dtype == at::kBFloat16 && multiplies_bfloat16());
}

at::Tensor onednn_matrix(const at::Tensor& weight, std::int64_t rows) {
  static const auto reorder = operator_named<MatrixFunction>("mkldnn::_reorder_linear_weight");
  return reorder.call(weight, rows);
}

at::Tensor onednn_linear(const at::Tensor& input, const at::Tensor& matrix,
                         const MaybeTensor& bias) {
  return linear_then("none", "", input, matrix, bias);
}

at::Tensor onednn_linear_gelu(const at::Tensor& input, const at::Tensor& matrix,
                              const at::Tensor& bias) {
  return linear_then("gelu", "none", input, matrix, bias);
}

at::Tensor onednn_linear_times(const at::Tensor& input, const at::Tensor& matrix,
                               const at::Tensor& bias, const at::Tensor& factor) {
  static const auto linear = operator_named<BinaryFunction>("mkldnn::_linear_pointwise", "binary");
  return linear.call(input, factor, matrix, bias, "mul");
}

at::Tensor onednn_kernel(const at::Tensor& weight, std::int64_t padding, const PictureSize& size) {
  static const auto reorder = operator_named<KernelFunction>("mkldnn::_reorder_convolution_weight");
  const std::array<std::int64_t, 2> paddings = {padding, padding};
  const std::array<std::int64_t, 4> input = {size.pictures, weight.size(1), size.height,
                                             size.width};
  return reorder.call(weight, paddings, kOnes, kOnes, /*groups=*/1, Sizes(input));
}

at::Tensor onednn_conv2d(const at::Tensor& input, const at::Tensor& kernel, const at::Tensor& bias,
                         std::int64_t padding) {
  static const auto conv = operator_named<ConvFunction>("mkldnn::_convolution_pointwise");
  const std::array<std::int64_t, 2> paddings = {padding, padding};
  return conv.call(input, kernel, bias, paddings, kOnes, kOnes, /*groups=*/1, "none", Scalars(),
                   "");
}

MemoryView onednn_memory(const at::Tensor& arranged) {
  static const auto size_of = operator_named<NumberFunction>("mkldnn::_nbytes");
  static const auto address_of = operator_named<NumberFunction>("mkldnn::data_ptr");
  return {reinterpret_cast<const void*>(address_of.call(arranged)),
          static_cast<std::size_t>(size_of.call(arranged))};
}

bool has_same_bytes(const at::Tensor& one, const at::Tensor& other) {
  const MemoryView first = onednn_memory(one);
  const MemoryView second = onednn_memory(other);
  return first.bytes == second.bytes && std::memcmp(first.data, second.data, first.bytes) == 0;
}

at::Tensor onednn_description(const at::Tensor& arranged) {
  static const auto description_of =
      operator_named<at::Tensor(const at::Tensor&)>("mkldnn::_get_mkldnn_serialized_md");
  return description_of.call(arranged);
}

at::Tensor onednn_view(const at::Tensor& memory, at::IntArrayRef shape,
                       const at::Tensor& description) {
  const auto strides = c10::contiguous_strides(shape);  // not used
  AtenTensorHandle handle = nullptr;
  const AOTITorchError error = aoti_torch_create_tensor_from_blob_v2(
      memory.data_ptr(), static_cast<std::int64_t>(shape.size()), shape.data(), strides.data(),
      /*storage_offset=*/0, static_cast<std::int32_t>(memory.scalar_type()),
      static_cast<std::int32_t>(at::kCPU), /*device_index=*/0, &handle,
      static_cast<std::int32_t>(at::kMkldnn), description.const_data_ptr<std::uint8_t>(),
      description.numel());
  TORCH_CHECK(error == AOTI_TORCH_SUCCESS, "libtorch made no tensor of oneDNN's layout");
  return torch::aot_inductor::alloc_tensors_by_stealing_from_handles(&handle, 1).front();
}

}  // namespace ssd1b
