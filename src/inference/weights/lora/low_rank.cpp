#include "inference/weights/lora/low_rank.h"

#include <ATen/ATen.h>

#include <cstdint>
#include <vector>

#include "inference/weights/convert.h"
#include "ssd1b/error.h"

namespace ssd1b {
namespace {

/// A tensor of a LoRA file as float32 [first dimension, all others].
at::Tensor read_matrix(const TensorSource& source) {
  std::vector<std::uint64_t> bytes((source.bytes + 7) / 8);  // aligned to every element type
  source.file.read(source.offset, bytes.data(), source.bytes);
  at::Tensor matrix = at::empty(source.shape, at::dtype(at::kFloat));
  const auto bad = convert_elements(source.dtype, bytes.data(), at::kFloat, matrix.data_ptr(),
                                    static_cast<std::size_t>(matrix.numel()));
  if (bad) {
    throw Error(ErrorCode::BadModel,
                source.file.path().string() + ": tensor " + shown(source.file_name) +
                    " must be finite, got " +
                    std::to_string(element_value(source.dtype, bytes.data(), *bad)) + " at index " +
                    std::to_string(*bad));
  }
  return matrix.flatten(1);
}

}  // namespace

void add_low_rank(const LowRankUpdate& update, at::Tensor& weight) {
  const at::Tensor down = read_matrix(update.down);       // [R, inputs * kernel * kernel]
  const at::Tensor up = read_matrix(update.up);           // [M, R]
  at::Tensor matrix = weight.view({weight.size(0), -1});  // a convolution's 1x1 is `up`
  matrix.addmm_(up, down, /*beta=*/1, update.factor);
}

void check_merged(const Binding& binding, const at::Tensor& value) {
  if (at::isfinite(value).all().item<bool>()) return;
  const TensorSource& last = binding.updates.back().up;
  throw Error(ErrorCode::BadModel, last.file.path().string() + ": tensor " + shown(last.file_name) +
                                       ": what is merged into " + shown(binding.name) +
                                       " must stay finite in " + dtype_name(value.scalar_type()) +
                                       ", got a larger value");
}

}  // namespace ssd1b
