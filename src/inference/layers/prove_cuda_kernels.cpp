#include "inference/layers/prove_cuda_kernels.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <array>
#include <stdexcept>
#include <utility>

#include "inference/layers/cuda_kernels.h"
#include "inference/layers/kernel_library.h"
#include "inference/layers/resample.h"

namespace ssd1b {
namespace {

/// How far two ways to one result may be apart: a few units in the last place of values of about 4.
double tolerance_of(at::ScalarType dtype) {
  return dtype == at::kFloat ? 2e-5 : dtype == at::kHalf ? 1.6e-2 : 1.3e-1;
}

double largest_difference(const at::Tensor& a, const at::Tensor& b) {
  return (a.to(at::kFloat) - b.to(at::kFloat)).abs().max().item<double>();  // NaN stays NaN
}

/// A tensor as networks make them: about 1 wide, beside zero, the same at every start.
at::Tensor sample(at::IntArrayRef shape, const at::TensorOptions& options) {
  const std::int64_t count = c10::multiply_integers(shape);
  return (at::sin(at::arange(count, options.dtype(at::kFloat)) * 1.7) * 2.0 + 0.5)
      .to(options.dtype().toScalarType())
      .view(shape);
}

at::Tensor picture(at::IntArrayRef shape, const at::TensorOptions& options) {
  return sample(shape, options).contiguous(at::MemoryFormat::ChannelsLast);
}

at::Tensor to_pixels(const at::Tensor& of_channels) {
  return of_channels.unsqueeze(-1).unsqueeze(-1);  // [..., C, 1, 1]
}

/// SSD-1B's widest norm, one with few channels a group, odd sizes of the picture, and one of as
/// many rows as the VAE has, whose sums have a kernel of their own.
double compare_group_norm(const at::TensorOptions& options) {
  double difference = 0.0;
  for (const auto& [channels, side] :
       {std::pair<std::int64_t, std::int64_t>{2560, 8}, {640, 65}, {128, 33}, {512, 113}}) {
    const at::Tensor input = picture({2, channels, side, side}, options);
    const GroupNormParameters norm{sample({channels}, options), sample({channels}, options), 32,
                                   1e-5};
    const at::Tensor bias = sample({channels}, options);
    // Times of all blocks are beside each other, as in the UNet.
    const at::Tensor times = sample({2, 3 * channels}, options).narrow(1, channels, channels);
    for (const Activation activation : {Activation::None, Activation::Silu}) {
      for (const bool is_shifted : {false, true}) {
        const ShiftedPicture shifted{input, is_shifted ? bias : at::Tensor(),
                                     is_shifted ? times : at::Tensor()};
        const at::Tensor ours = cuda_group_norm(shifted, norm, activation).value();
        const at::Tensor sum = is_shifted ? input + to_pixels(bias) + to_pixels(times) : input;
        const at::Tensor normed =
            at::group_norm(sum, norm.groups, norm.weight, norm.bias, norm.eps);
        const at::Tensor theirs = activation == Activation::Silu ? at::silu(normed) : normed;
        difference = std::max(difference, largest_difference(ours, theirs));
      }
    }
  }
  return difference;
}

/// Tokens for all rows of a stream, of which the last are normed, and tokens for the last rows, of
/// which all are normed.
double compare_additions(const at::Tensor& input, const LayerNormParameters& norm) {
  double difference = 0.0;
  for (const bool is_partial : {false, true}) {
    const at::Tensor tokens = input.narrow(0, is_partial ? 1 : 0, is_partial ? 1 : 2) * 0.5;
    const std::int64_t first = is_partial ? 0 : 1;
    // A quarter: rows that it evens out would show little but rounding.
    const at::Tensor rest = norm.bias * 0.25;
    const at::Tensor ours = input.clone(), theirs = input.clone();
    const at::Tensor normed = cuda_layer_norm(ours, {tokens, rest}, norm, first).value();
    theirs.narrow(0, 2 - tokens.size(0), tokens.size(0)).add_(tokens);
    if (is_partial) theirs[0].add_(rest);
    const at::Tensor wanted = at::layer_norm(theirs.narrow(0, first, 2 - first),
                                             norm.weight.sizes(), norm.weight, norm.bias, norm.eps);
    difference = std::max(difference, largest_difference(ours, theirs));
    difference = std::max(difference, largest_difference(normed, wanted));
  }
  return difference;
}

double compare_layer_norm(const at::TensorOptions& options) {
  double difference = 0.0;
  for (const std::int64_t width : {8, 256, 640, 768, 1280, 2048}) {
    const at::Tensor input = sample({2, 77, width}, options) + 3.0;
    const at::Tensor weight = sample({width}, options), bias = sample({width}, options);
    const at::Tensor plain = cuda_layer_norm(input, {}, {weight, bias, 1e-5}).value();
    const at::Tensor theirs = at::layer_norm(input, {width}, weight, bias, 1e-5);
    difference = std::max(difference, largest_difference(plain, theirs));
    difference = std::max(difference, compare_additions(input, {weight, bias, 1e-5}));
  }
  return difference;
}

/// A row of the VAE at 1024 x 1024, one of fewer vectors than a block has threads, and the fewest.
double compare_softmax(const at::TensorOptions& options) {
  double difference = 0.0;
  const at::ScalarType dtype = options.dtype().toScalarType();
  for (const std::int64_t columns : {16384, 1000, 8}) {
    const at::Tensor scores = sample({3, columns}, options.dtype(at::kFloat)) * 20.0;
    const at::Tensor ours = cuda_softmax(scores, 0.1, 256.0, dtype).value();
    const at::Tensor theirs = (at::softmax(scores * 0.1, -1) * 256.0).to(dtype);
    // Beside values of about 1.
    difference =
        std::max(difference, largest_difference(ours, theirs) / theirs.max().item<double>());
  }
  return difference;
}

/// Of vectors that fill a block's share and of some that do not.
double compare_add(const at::TensorOptions& options) {
  double difference = 0.0;
  for (const auto& [channels, side] :
       {std::pair<std::int64_t, std::int64_t>{640, 16}, {128, 33}, {8, 3}}) {
    const at::Tensor first = picture({2, channels, side, side}, options);
    const at::Tensor second = picture({2, channels, side, side}, options).flip({0});
    const at::Tensor bias = sample({channels}, options);
    for (const bool has_second : {false, true}) {
      const at::Tensor ours = first.clone();
      const at::Tensor other = has_second ? second : at::Tensor();
      if (!cuda_add(ours, other, {bias, other.defined() ? bias : at::Tensor()})) {
        throw std::logic_error("it does not take its sample");
      }
      const at::Tensor theirs =
          has_second ? first + second + 2 * to_pixels(bias) : first + to_pixels(bias);
      difference = std::max(difference, largest_difference(ours, theirs));
    }
  }
  return difference;
}

double compare_interleave(const at::TensorOptions& options) {
  double difference = 0.0;
  for (const auto& [channels, height, width] :
       {std::array<std::int64_t, 3>{640, 16, 16}, std::array<std::int64_t, 3>{8, 5, 67}}) {
    const at::Tensor parts = picture({2, 4 * channels, height + 1, width + 1}, options);
    const at::Tensor bias = sample({channels}, options);
    const at::Tensor ours = cuda_interleave(parts, bias).value();
    const at::Tensor theirs = at::empty_like(ours);
    for (int i = 0; i < 4; ++i) place_upsampled(parts.chunk(4, 1)[i], i, theirs);
    theirs.add_(to_pixels(bias));
    difference = std::max(difference, largest_difference(ours, theirs));
  }
  return difference;
}

double compare_geglu(const at::TensorOptions& options) {
  const at::Tensor both = sample({2, 77, 2 * 640}, options) * 2.0;
  const std::vector<at::Tensor> halves = both.chunk(2, -1);
  return largest_difference(cuda_geglu(both).value(), halves[0] * at::gelu(halves[1]));
}

double compare_to_bytes(const at::TensorOptions& options) {
  const at::Tensor pixels = sample({1, 3, 64, 72}, options);
  const at::Tensor turned = pixels.contiguous(at::MemoryFormat::ChannelsLast);
  return std::max(largest_difference(cuda_to_bytes(pixels).value(), aten_to_bytes(pixels)),
                  largest_difference(cuda_to_bytes(turned).value(), aten_to_bytes(turned)));
}

using Comparison = double (*)(const at::TensorOptions&);

/// A kernel, what compares it, and how many tolerances it may be off: sums of several numbers of
/// about 4 are larger than each.
struct Trial {
  CudaKernel kernel;
  Comparison compare;
  double tolerances;
};
constexpr Trial kTrials[] = {
    {GroupNormKernel, compare_group_norm, 4},  {LayerNormKernel, compare_layer_norm, 2},
    {SoftmaxKernel, compare_softmax, 1},       {AddKernel, compare_add, 2},
    {InterleaveKernel, compare_interleave, 1}, {GegluKernel, compare_geglu, 4},
    {ToBytesKernel, compare_to_bytes, 0}};

KernelProof prove(const Trial& trial, const at::TensorOptions& options) {
  const at::ScalarType dtype = options.dtype().toScalarType();
  const double tolerance = trial.tolerances * tolerance_of(dtype);
  KernelLibrary& library = KernelLibrary::instance();
  KernelProof proof;
  proof.name = name_of(trial.kernel);
  library.use(trial.kernel, dtype, true);  // on trial
  try {
    proof.difference = trial.compare(options);
    proof.is_used = proof.difference <= tolerance;  // not where it is NaN
    if (!proof.is_used) {
      proof.why_not = "it differs from ATen by more than " + std::to_string(tolerance);
    }
  } catch (const c10::Error& error) {
    proof.why_not = error.what_without_backtrace();
  } catch (const std::exception& error) {
    proof.why_not = error.what();
  }
  library.use(trial.kernel, dtype, proof.is_used);
  return proof;
}

}  // namespace

std::vector<KernelProof> prove_cuda_kernels(const c10::Device& device, at::ScalarType dtype) {
  if (!device.is_cuda() || !KernelLibrary::instance().is_open()) return {};
  std::vector<KernelProof> proofs;
  for (const Trial& trial : kTrials)
    proofs.push_back(prove(trial, at::dtype(dtype).device(device)));
  return proofs;
}

}  // namespace ssd1b
