#include "inference/layers/arrange_weights.h"

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>

#include <algorithm>
#include <iterator>

#include "inference/layers/cuda_kernels.h"
#include "inference/layers/onednn.h"
#include "inference/layers/resample.h"

namespace ssd1b {
namespace {

// A convolution takes its kernel in a layout that depends on the size of its input, and rearranges
// it at every call, slowly, where it finds another. So a kernel is arranged only where all these
// sizes, of small and large pictures, agree. (A linear layer takes any layout of its matrix.)
constexpr std::int64_t kRows = 1024;
constexpr PictureSize kSizes[] = {{1, 64, 64}, {1, 4, 4},     {2, 4, 4},    {2, 8, 8},
                                  {8, 8, 8},   {2, 13, 17},   {2, 16, 16},  {1, 32, 96},
                                  {2, 64, 64}, {1, 128, 128}, {1, 256, 256}};
// A layout is a matter of blocks of inputs: many of them have that of few.
constexpr std::int64_t kFewInputs = 128;

/// A weight of which any two layouts differ, whatever a model's own weights are.
at::Tensor sample_of(const std::vector<std::int64_t>& shape, at::ScalarType dtype) {
  // A prime number of them, so that rows of no usual width repeat each other.
  constexpr std::int64_t period = 4099;
  static const at::Tensor values =
      at::randint(256, {period}, at::make_generator<at::CPUGeneratorImpl>());  // exact in bfloat16
  const std::int64_t count = c10::multiply_integers(shape);
  return values.to(dtype).repeat({count / period + 1}).narrow(0, 0, count).view(shape);
}

/// A small one that is laid out as those of the shape are.
at::Tensor stand_in(std::vector<std::int64_t> shape, at::ScalarType dtype) {
  if (shape[1] > kFewInputs) shape[1] = kFewInputs / 2 + shape[1] % (kFewInputs / 2);
  return sample_of(shape, dtype).contiguous(at::MemoryFormat::ChannelsLast);  // arranged faster
}

bool is_same_for_all_sizes(const at::Tensor& weight, std::int64_t padding) {
  const at::Tensor first = onednn_kernel(weight, padding, kSizes[0]);
  return std::all_of(std::begin(kSizes), std::end(kSizes), [&](const PictureSize& size) {
    return has_same_bytes(first, onednn_kernel(weight, padding, size));
  });
}

bool is_upsampled_at_once(const Parameter& parameter, const c10::Device& device,
                          at::ScalarType dtype) {
  return parameter.use == ParameterUse::Upsampling &&
         can_cuda_interleave(device, dtype, parameter.shape.front());
}

/// Of each product that is made with a parameter, as products_of has them.
std::vector<std::int64_t> product_shape(const Parameter& parameter) {
  std::vector<std::int64_t> shape = parameter.shape;
  if (parameter.use == ParameterUse::Gated) shape[0] /= 2;
  if (shape.size() == 4 && shape[2] == 1) shape.resize(2);  // a matrix of every pixel
  return shape;
}

/// The weights of those products, [outputs, inputs] or [Cout, Cin, k, k].
std::vector<at::Tensor> products_of(const Parameter& parameter) {
  const at::Tensor& value = parameter.value;
  if (parameter.use == ParameterUse::Gated) return value.chunk(2);
  return {value.dim() == 4 && value.size(2) == 1 ? value.flatten(1) : value};
}

}  // namespace

std::optional<RowPacking> WeightArranger::packing_of(const Parameter& parameter,
                                                     at::ScalarType dtype,
                                                     const c10::Device& device) {
  if (parameter.use == ParameterUse::Other || !device.is_cpu() || !has_onednn(dtype)) {
    return std::nullopt;
  }
  const std::vector<std::int64_t> shape = product_shape(parameter);
  if (shape.size() != 2) return std::nullopt;
  const auto [known, is_new] = layouts_.try_emplace({shape, dtype});
  if (is_new) {
    const at::Tensor sample = sample_of(shape, dtype);
    known->second = PackedLayout::of(sample, onednn_matrix(sample, kRows));
  }
  if (!known->second) return std::nullopt;
  const PackedLayout& layout = *known->second;  // a map's elements stay where they are
  return RowPacking{layout.rows(),
                    [&layout](const void* plain, void* packed) { layout.pack(plain, packed); }};
}

void WeightArranger::arrange(Parameter& parameter, bool is_packed) {
  const at::Tensor& value = parameter.value;
  if (parameter.use == ParameterUse::Other) return;
  if (is_packed) {
    const auto& layout = layouts_.at({product_shape(parameter), value.scalar_type()});
    for (const at::Tensor& each : products_of(parameter)) {
      parameter.arranged.push_back(layout->tensor_of(each));
    }
    parameter.memory = value;
  } else if (is_upsampled_at_once(parameter, value.device(), value.scalar_type())) {
    const at::Tensor all = at::cat(upsampling_kernels(value));  // [4 Cout, Cin, 2, 2]
    parameter.arranged = {value, all.contiguous(at::MemoryFormat::ChannelsLast)};
  } else if (value.device().is_cpu() && has_onednn(value.scalar_type())) {
    parameter.arranged = forms_of(parameter);
  } else {
    return;
  }
  parameter.value.reset();
}

std::int64_t arranged_elements(const Parameter& parameter, const c10::Device& device,
                               at::ScalarType dtype) {
  constexpr std::int64_t taps = 3 * 3;
  constexpr std::int64_t taps_of_parts = 4 * 2 * 2;
  const std::int64_t elements = c10::multiply_integers(parameter.shape);
  const bool has_parts =
      parameter.use == ParameterUse::Upsampling &&
      (is_upsampled_at_once(parameter, device, dtype) || (device.is_cpu() && has_onednn(dtype)));
  return has_parts ? elements / taps * (taps + taps_of_parts) : elements;
}

std::vector<at::Tensor> WeightArranger::forms_of(const Parameter& parameter) {
  std::vector<at::Tensor> forms;
  for (const at::Tensor& weight : products_of(parameter)) {
    forms.push_back(weight.dim() == 2 ? onednn_matrix(weight, kRows)
                                      : kernel_of(weight, (weight.size(2) - 1) / 2));
  }
  if (parameter.use == ParameterUse::Upsampling) {
    for (const at::Tensor& kernel : upsampling_kernels(parameter.value)) {
      forms.push_back(kernel_of(kernel, /*padding=*/1));
    }
  }
  return forms;
}

/// In oneDNN's layout where it is one for all sizes, else as ATen wants it beside channels-last
/// pictures.
at::Tensor WeightArranger::kernel_of(const at::Tensor& weight, std::int64_t padding) {
  const auto [is_same, is_new] =
      are_same_.try_emplace({weight.sizes().vec(), weight.scalar_type()}, false);
  if (is_new) {
    is_same->second =
        is_same_for_all_sizes(stand_in(weight.sizes().vec(), weight.scalar_type()), padding);
  }
  if (!is_same->second) return weight.contiguous(at::MemoryFormat::ChannelsLast);
  return onednn_kernel(weight, padding, kSizes[0]);
}

}  // namespace ssd1b
