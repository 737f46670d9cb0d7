#include "inference/layers/prove_cuda_kernels.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <optional>
#include <stdexcept>

#include "inference/layers/cuda_kernels.h"
#include "inference/layers/kernel_library.h"
#include "inference/layers/norms.h"
#include "inference/layers/resample.h"
#include "inference/layers/unbiased.h"

namespace ssd1b {
namespace {

/// How far two ways to one result may be apart: a few units in the last place of values of about 4.
double tolerance_of(at::ScalarType dtype) {
  return dtype == at::kFloat ? 2e-5 : dtype == at::kHalf ? 1.6e-2 : 1.3e-1;
}

/// Infinite where one of them has a NaN.
double largest_difference(const at::Tensor& a, const at::Tensor& b) {
  const double largest = (a.to(at::kFloat) - b.to(at::kFloat)).abs().max().item<double>();
  return std::isnan(largest) ? std::numeric_limits<double>::infinity() : largest;
}

/// Tensors as networks have them: about 1 wide, beside zero, the same at every start. Each is a
/// wave of another length: what takes one for another, or all for constants, does not agree.
class Samples {
 public:
  explicit Samples(const at::TensorOptions& options) : options_(options) {}

  at::Tensor next(at::IntArrayRef shape) {
    const std::int64_t count = c10::multiply_integers(shape);
    step_ += 0.13;
    return (at::sin(at::arange(count, options_.dtype(at::kFloat)) * step_) * 2.0 + 0.5)
        .to(options_.dtype().toScalarType())
        .view(shape);
  }
  at::Tensor next_picture(at::IntArrayRef shape) {
    return next(shape).contiguous(at::MemoryFormat::ChannelsLast);
  }

 private:
  const at::TensorOptions options_;
  double step_ = 1.5;
};

/// The result of a kernel on a sample made for it.
at::Tensor taken(const std::optional<at::Tensor>& result) {
  if (!result) throw std::logic_error("it does not take its sample");
  return *result;
}

at::Tensor to_pixels(const at::Tensor& of_channels) {
  return of_channels.unsqueeze(-1).unsqueeze(-1);  // [..., C, 1, 1]
}

double compare_shifted(const Unbiased& input, const at::Tensor& time, const GroupNorm& norm) {
  at::Tensor sum = input.picture;
  if (input.bias.defined()) sum = sum + to_pixels(input.bias);
  if (time.defined()) sum = sum + to_pixels(time);
  const at::Tensor normed =
      at::group_norm(sum, norm.groups, norm.weight.value, norm.bias.value, norm.eps);
  return std::max(
      largest_difference(taken(cuda_group_norm(input, time, norm, Activation::None)), normed),
      largest_difference(taken(cuda_group_norm(input, time, norm, Activation::Silu)),
                         at::silu(normed)));
}

/// SSD-1B's widest norm, one with few channels a group, odd sizes of the picture, one of as many
/// rows as the VAE has, whose sums have a kernel of their own, and one whose groups are no whole
/// vectors. Each alone, with the bias that stands before it in the VAE, and with the time too.
double compare_group_norm(const at::TensorOptions& options) {
  struct Shape {
    std::int64_t channels, groups, side;
  };
  Samples samples(options);
  double difference = 0.0;
  for (const auto& [channels, groups, side] :
       {Shape{2560, 32, 8}, {640, 32, 65}, {128, 32, 33}, {512, 32, 113}, {36, 6, 17}}) {
    GroupNorm norm(groups, channels, 1e-5);
    norm.weight.value = samples.next({channels});
    norm.bias.value = samples.next({channels});
    const at::Tensor picture = samples.next_picture({2, channels, side, side});
    const at::Tensor bias = samples.next({channels});
    // Times of all blocks are beside each other, as in the UNet.
    const at::Tensor time = samples.next({2, 3 * channels}).narrow(1, channels, channels);
    difference = std::max({difference, compare_shifted({picture, {}}, {}, norm),
                           compare_shifted({picture, bias}, {}, norm),
                           compare_shifted({picture, bias}, time, norm)});
  }
  return difference;
}

/// `stream` [2, T, width] before and after, and what is normed of it from row `first` on.
double compare_stream(const at::Tensor& stream, const Addition& added, const LayerNorm& norm,
                      std::int64_t first) {
  const at::Tensor ours = stream.clone(), theirs = stream.clone();
  const at::Tensor normed = taken(cuda_layer_norm(ours, added, norm, first));
  if (added.tokens.defined()) {
    const std::int64_t without = stream.size(0) - added.tokens.size(0);
    theirs.narrow(0, without, added.tokens.size(0)).add_(added.tokens);
    if (without > 0) theirs.narrow(0, 0, without).add_(added.rest);
  }
  const at::Tensor wanted =
      at::layer_norm(theirs.narrow(0, first, stream.size(0) - first), norm.weight.shape,
                     norm.weight.value, norm.bias.value, norm.eps);
  return std::max(largest_difference(ours, theirs), largest_difference(normed, wanted));
}

/// Every number of vectors that a lane may have. Alone; with tokens for all rows, of which the last
/// is normed; with tokens for the last, of which all are normed.
double compare_layer_norm(const at::TensorOptions& options) {
  Samples samples(options);
  double difference = 0.0;
  for (const std::int64_t width : {8, 256, 512, 640, 768, 1280, 1792, 2048}) {
    LayerNorm norm(width, 1e-5);
    norm.weight.value = samples.next({width});
    norm.bias.value = samples.next({width});
    const at::Tensor stream = samples.next({2, 77, width}) + 3.0;
    // A quarter: with all of it a row may be nearly even, and its norm rounding alone.
    const at::Tensor tokens = samples.next({2, 77, width}) * 0.25;
    const at::Tensor rest = samples.next({width}) * 0.25;
    difference = std::max({difference, compare_stream(stream, {}, norm, 0),
                           compare_stream(stream, {tokens, {}}, norm, 1),
                           compare_stream(stream, {tokens.narrow(0, 1, 1), rest}, norm, 0)});
  }
  return difference;
}

/// A row of the VAE at 1024 x 1024, one of fewer vectors than a block has threads, and the fewest;
/// of scores near each other and of scores whose powers would overflow.
double compare_softmax(const at::TensorOptions& options) {
  const at::ScalarType dtype = options.dtype().toScalarType();
  Samples samples(options.dtype(at::kFloat));
  double difference = 0.0;
  for (const std::int64_t columns : {16384, 1000, 8}) {
    for (const double scale : {1.0, 40.0}) {
      const at::Tensor scores = samples.next({3, columns});
      const at::Tensor ours = taken(cuda_softmax(scores, scale, 256.0, dtype));
      const at::Tensor theirs = (at::softmax(scores * scale, -1) * 256.0).to(dtype);
      // Beside values of about 1.
      difference =
          std::max(difference, largest_difference(ours, theirs) / theirs.max().item<double>());
    }
  }
  return difference;
}

double compare_sum(const at::Tensor& picture, const at::Tensor& other,
                   const std::array<at::Tensor, 2>& shifts) {
  const at::Tensor ours = picture.clone();
  if (!cuda_add(ours, other, shifts)) throw std::logic_error("it does not take its sample");
  at::Tensor theirs = other.defined() ? picture + other : picture;
  for (const at::Tensor& shift : shifts) {
    if (shift.defined()) theirs = theirs + to_pixels(shift);
  }
  return largest_difference(ours, theirs);
}

/// Of vectors that fill a block's share and of some that do not: a bias alone, with the residual,
/// and with a shortcut that has a bias too.
double compare_add(const at::TensorOptions& options) {
  struct Shape {
    std::int64_t channels, side;
  };
  Samples samples(options);
  double difference = 0.0;
  for (const auto& [channels, side] : {Shape{640, 16}, {128, 33}, {8, 3}}) {
    const at::Tensor first = samples.next_picture({2, channels, side, side});
    const at::Tensor second = samples.next_picture({2, channels, side, side});
    const at::Tensor bias = samples.next({channels}), other = samples.next({channels});
    difference = std::max({difference, compare_sum(first, {}, {bias, {}}),
                           compare_sum(first, second, {bias, {}}),
                           compare_sum(first, second, {bias, other})});
  }
  return difference;
}

double compare_interleave(const at::TensorOptions& options) {
  struct Shape {
    std::int64_t channels, height, width;
  };
  Samples samples(options);
  double difference = 0.0;
  for (const auto& [channels, height, width] : {Shape{640, 16, 16}, {8, 5, 67}}) {
    const at::Tensor parts = samples.next_picture({2, 4 * channels, height + 1, width + 1});
    const at::Tensor bias = samples.next({channels});
    const at::Tensor ours = taken(cuda_interleave(parts, bias));
    const at::Tensor theirs = at::empty_like(ours);
    for (int i = 0; i < 4; ++i) place_upsampled(parts.chunk(4, 1)[i], i, theirs);
    difference = std::max(difference, largest_difference(ours, theirs.add_(to_pixels(bias))));
  }
  return difference;
}

double compare_geglu(const at::TensorOptions& options) {
  const at::Tensor both = Samples(options).next({2, 77, 2 * 640}) * 2.0;
  const std::vector<at::Tensor> halves = both.chunk(2, -1);
  return largest_difference(taken(cuda_geglu(both)), halves[0] * at::gelu(halves[1]));
}

double compare_to_bytes(const at::TensorOptions& options) {
  const at::Tensor pixels = Samples(options).next({1, 3, 64, 72});
  const at::Tensor turned = pixels.contiguous(at::MemoryFormat::ChannelsLast);
  return std::max(largest_difference(taken(cuda_to_bytes(pixels)), aten_to_bytes(pixels)),
                  largest_difference(taken(cuda_to_bytes(turned)), aten_to_bytes(turned)));
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
    {SoftmaxKernel, compare_softmax, 2},       {AddKernel, compare_add, 2},
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
    proof.is_used = proof.difference <= tolerance;
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
