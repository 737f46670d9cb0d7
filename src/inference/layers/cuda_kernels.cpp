#include "inference/layers/cuda_kernels.h"

#include <ATen/ATen.h>
#include <ATen/DeviceAccelerator.h>

#include <algorithm>
#include <string>
#include <vector>

#include "inference/layers/kernel_library.h"
#include "inference/layers/norms.h"
#include "inference/layers/unbiased.h"
#include "norm_plan.h"

namespace ssd1b {
namespace {

bool is_used(CudaKernel kernel, const at::Tensor& input) {
  return input.is_cuda() && KernelLibrary::instance().is_used(kernel, input.scalar_type());
}

bool is_channels_last(const at::Tensor& picture) {
  return picture.dim() == 4 && picture.is_contiguous(at::MemoryFormat::ChannelsLast);
}

bool is_aligned(const at::Tensor& tensor) {
  return reinterpret_cast<std::uintptr_t>(tensor.const_data_ptr()) % kSsd1bAlignment == 0;
}

/// Whether `values`, unless undefined, are of `like`'s dtype, each beside the next.
bool fits(const at::Tensor& values, const at::Tensor& like) {
  return !values.defined() ||
         (values.scalar_type() == like.scalar_type() && values.stride(-1) == 1);
}

/// Whether `values`, unless undefined, can be loaded vector by vector as well.
bool fits_vectors(const at::Tensor& values, const at::Tensor& like) {
  return !values.defined() || (fits(values, like) && is_aligned(values));
}

const void* data_of(const at::Tensor& tensor) {
  return tensor.defined() ? tensor.const_data_ptr() : nullptr;
}

void* stream_of(const at::Tensor& tensor) {
  return at::accelerator::getCurrentStream(tensor.device().index()).native_handle();
}

/// CUDA's status becomes the error that libtorch would throw: faults.cpp knows what it means.
void check_launch(int status, CudaKernel kernel) {
  if (status == 0) return;
  throw c10::AcceleratorError(
      {__func__, __FILE__, __LINE__}, status,
      std::string("CUDA error ") + std::to_string(status) + " of our kernel " + name_of(kernel));
}

}  // namespace

std::optional<at::Tensor> cuda_group_norm(const Unbiased& input, const at::Tensor& time,
                                          const GroupNorm& norm, Activation activation) {
  const at::Tensor& picture = input.picture;
  const bool fits_kernel = is_used(GroupNormKernel, picture) && is_channels_last(picture) &&
                           can_plan_norm(picture.size(1), norm.groups) &&
                           fits(norm.weight.value, picture) && fits(norm.bias.value, picture) &&
                           fits(input.bias, picture) && fits(time, picture);
  if (!fits_kernel) return std::nullopt;
  at::Tensor output = at::empty_like(picture);  // channels-last, as the picture is
  const std::int64_t rows = picture.size(2) * picture.size(3);
  const NormPlan plan = plan_norm(rows, picture.size(1), norm.groups);
  at::Tensor partial =
      at::empty({plan.partial_floats(picture.size(0))}, picture.options().dtype(at::kFloat));
  Ssd1bGroupNorm call{};
  call.input = picture.const_data_ptr();
  call.shift_of_channels = data_of(input.bias);
  call.shift_of_pictures = data_of(time);
  call.shift_stride = time.defined() ? time.stride(0) : 0;
  call.weight = data_of(norm.weight.value);
  call.bias = data_of(norm.bias.value);
  call.output = output.data_ptr();
  call.partial = partial.mutable_data_ptr<float>();
  call.pictures = picture.size(0);
  call.rows = rows;
  call.channels = picture.size(1);
  call.groups = norm.groups;
  call.eps = norm.eps;
  call.silu = activation == Activation::Silu ? 1 : 0;
  call.dtype = kernel_dtype(picture.scalar_type());
  check_launch(KernelLibrary::instance().group_norm(&call, stream_of(picture)), GroupNormKernel);
  return output;
}

std::optional<at::Tensor> cuda_layer_norm(const at::Tensor& stream, const Addition& added,
                                          const LayerNorm& norm, std::int64_t first) {
  const std::int64_t width = stream.size(-1);
  const auto fits_rows = [&](const at::Tensor& tokens) {
    return !tokens.defined() || (tokens.is_contiguous() && fits_vectors(tokens, stream));
  };
  const bool fits_kernel =
      is_used(LayerNormKernel, stream) && width % kSsd1bVector == 0 && width <= kSsd1bWidestRow &&
      fits_rows(stream) && fits_rows(added.tokens) && fits_vectors(added.rest, stream) &&
      fits_vectors(norm.weight.value, stream) && fits_vectors(norm.bias.value, stream);
  if (!fits_kernel) return std::nullopt;
  at::Tensor output = at::empty_like(stream.narrow(/*dim=*/0, first, stream.size(0) - first));
  Ssd1bLayerNorm call{};
  call.stream = stream.data_ptr();
  call.weight = data_of(norm.weight.value);
  call.bias = data_of(norm.bias.value);
  call.output = output.data_ptr();
  call.rows = stream.numel() / width;
  call.width = width;
  if (added.tokens.defined()) {
    call.added = data_of(added.tokens);
    call.rest = data_of(added.rest);
    call.first_added = call.rows - added.tokens.numel() / width;
  }
  call.first_normed = call.rows - output.numel() / width;
  call.eps = norm.eps;
  call.dtype = kernel_dtype(stream.scalar_type());
  check_launch(KernelLibrary::instance().layer_norm(&call, stream_of(stream)), LayerNormKernel);
  return output;
}

bool can_cuda_softmax(const at::Tensor& like, std::int64_t columns) {
  return is_used(SoftmaxKernel, like) && columns % kSsd1bVector == 0;
}

std::optional<at::Tensor> cuda_softmax(const at::Tensor& scores, double scale, double total,
                                       at::ScalarType dtype) {
  const std::int64_t columns = scores.size(-1);
  const bool fits_kernel = scores.is_cuda() && scores.scalar_type() == at::kFloat &&
                           KernelLibrary::instance().is_used(SoftmaxKernel, dtype) &&
                           columns % kSsd1bVector == 0 && scores.is_contiguous() &&
                           is_aligned(scores);
  if (!fits_kernel) return std::nullopt;
  at::Tensor output = at::empty(scores.sizes(), scores.options().dtype(dtype));
  const Ssd1bSoftmax call{scores.const_data_ptr<float>(),
                          output.data_ptr(),
                          scores.numel() / columns,
                          columns,
                          scale,
                          total,
                          kernel_dtype(dtype)};
  check_launch(KernelLibrary::instance().softmax(&call, stream_of(scores)), SoftmaxKernel);
  return output;
}

bool can_cuda_add(const at::Tensor& input, std::int64_t channels) {
  return is_used(AddKernel, input) && channels % kSsd1bVector == 0;
}

bool cuda_add(const at::Tensor& picture, const at::Tensor& other,
              const std::array<at::Tensor, 2>& shifts) {
  const bool fits_kernel =
      is_channels_last(picture) && can_cuda_add(picture, picture.size(1)) && is_aligned(picture) &&
      picture.numel() > 0 && picture.numel() <= kSsd1bMostAdded &&
      (!other.defined() || (other.sizes() == picture.sizes() && is_channels_last(other))) &&
      fits_vectors(other.defined() ? other.permute({0, 2, 3, 1}) : other, picture) &&
      std::all_of(shifts.begin(), shifts.end(),
                  [&](const at::Tensor& shift) { return fits_vectors(shift, picture); });
  if (!fits_kernel) return false;
  const Ssd1bAdd call{picture.const_data_ptr(),
                      data_of(other),
                      {data_of(shifts[0]), data_of(shifts[1])},
                      picture.data_ptr(),
                      picture.numel() / picture.size(1),
                      picture.size(1),
                      kernel_dtype(picture.scalar_type())};
  check_launch(KernelLibrary::instance().add(&call, stream_of(picture)), AddKernel);
  return true;
}

bool can_cuda_interleave(const c10::Device& device, at::ScalarType dtype, std::int64_t channels) {
  return device.is_cuda() && KernelLibrary::instance().is_used(InterleaveKernel, dtype) &&
         channels % kSsd1bVector == 0;
}

std::optional<at::Tensor> cuda_interleave(const at::Tensor& parts, const at::Tensor& bias) {
  const std::int64_t channels = bias.size(0);
  const bool fits_kernel = can_cuda_interleave(parts.device(), parts.scalar_type(), channels) &&
                           is_channels_last(parts) && is_aligned(parts) &&
                           fits_vectors(bias, parts);
  if (!fits_kernel) return std::nullopt;
  const std::int64_t height = parts.size(2) - 1;
  const std::int64_t width = parts.size(3) - 1;
  at::Tensor output = at::empty({parts.size(0), channels, 2 * height, 2 * width},
                                parts.options().memory_format(at::MemoryFormat::ChannelsLast));
  const Ssd1bInterleave call{parts.const_data_ptr(),
                             bias.const_data_ptr(),
                             output.data_ptr(),
                             parts.size(0),
                             height,
                             width,
                             channels,
                             kernel_dtype(parts.scalar_type())};
  check_launch(KernelLibrary::instance().interleave(&call, stream_of(parts)), InterleaveKernel);
  return output;
}

std::optional<at::Tensor> cuda_geglu(const at::Tensor& both) {
  const bool fits_kernel = is_used(GegluKernel, both) && both.is_contiguous() && is_aligned(both) &&
                           both.size(-1) % (2 * kSsd1bVector) == 0;
  if (!fits_kernel) return std::nullopt;
  std::vector<std::int64_t> shape = both.sizes().vec();
  shape.back() /= 2;
  at::Tensor output = at::empty(shape, both.options());
  const std::int64_t tokens = both.numel() / both.size(-1);
  check_launch(KernelLibrary::instance().geglu(both.const_data_ptr(), output.data_ptr(), tokens,
                                               shape.back(), kernel_dtype(both.scalar_type()),
                                               stream_of(both)),
               GegluKernel);
  return output;
}

std::optional<at::Tensor> cuda_to_bytes(const at::Tensor& pixels) {
  if (!is_used(ToBytesKernel, pixels) || pixels.size(0) != 1) return std::nullopt;
  at::Tensor bytes =
      at::empty({pixels.size(2), pixels.size(3), 3}, pixels.options().dtype(at::kByte));
  check_launch(KernelLibrary::instance().to_bytes(
                   pixels.const_data_ptr(), pixels.strides().data() + 1,
                   bytes.mutable_data_ptr<std::uint8_t>(), pixels.size(2), pixels.size(3),
                   kernel_dtype(pixels.scalar_type()), stream_of(pixels)),
               ToBytesKernel);
  return bytes;
}

at::Tensor aten_to_bytes(const at::Tensor& pixels) {
  const at::Tensor unit = (pixels * 0.5 + 0.5).clamp(0.0, 1.0);
  const at::Tensor rows = unit.squeeze(0).permute({1, 2, 0}).to(at::kFloat);  // [H, W, 3]
  return (rows * 255.0).round().to(at::kByte).contiguous();
}

}  // namespace ssd1b
