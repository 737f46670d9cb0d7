#include "inference/layers/cuda_kernels.h"

#include <ATen/ATen.h>
#include <ATen/DeviceAccelerator.h>
#include <dlfcn.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <functional>
#include <utility>

#include "kernels.h"
#include "norm_plan.h"
#include "ssd1b/error.h"

namespace ssd1b {
namespace {

constexpr int kDtypes = 3;  // as kernels.h numbers them

enum Kernel { GroupNormKernel, GegluKernel, ToBytesKernel, KernelCount };
constexpr std::array<const char*, KernelCount> kNames = {"group_norm", "geglu", "to_bytes"};

/// The opened library and what has been proven of it. One a process, as the device is.
class Library {
 public:
  static Library& instance() {
    static Library library;
    return library;
  }

  bool is_open() const { return version_ == kSsd1bKernelsVersion; }

  decltype(&ssd1b_group_norm) group_norm = nullptr;
  decltype(&ssd1b_geglu) geglu = nullptr;
  decltype(&ssd1b_to_bytes) to_bytes = nullptr;
  std::array<std::array<bool, kDtypes>, KernelCount> is_proven{};  // by dtype

 private:
  Library() {
    std::error_code ignored;
    const auto program = std::filesystem::read_symlink("/proc/self/exe", ignored);
    const auto path = program.parent_path() / "libssd1b_kernels.so";
    void* library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (library == nullptr) return;
    const auto find = [&](auto& function, const char* name) {
      function = reinterpret_cast<std::decay_t<decltype(function)>>(dlsym(library, name));
      return function != nullptr;
    };
    decltype(&ssd1b_kernels_version) version = nullptr;
    const bool has_all = find(version, "ssd1b_kernels_version") &&
                         find(group_norm, "ssd1b_group_norm") && find(geglu, "ssd1b_geglu") &&
                         find(to_bytes, "ssd1b_to_bytes");
    if (has_all) version_ = version();
  }

  int version_ = 0;
};

int dtype_number(at::ScalarType dtype) {
  return dtype == at::kFloat ? 0 : dtype == at::kHalf ? 1 : dtype == at::kBFloat16 ? 2 : -1;
}

bool is_proven(Kernel kernel, const at::Tensor& input) {
  if (!input.is_cuda()) return false;
  const int dtype = dtype_number(input.scalar_type());
  return dtype >= 0 && Library::instance().is_proven[kernel][dtype];
}

void* stream_of(const at::Tensor& tensor) {
  return at::accelerator::getCurrentStream(tensor.device().index()).native_handle();
}

/// CUDA's status becomes the error that libtorch would throw: faults.cpp knows what it means.
void check_launch(int status, Kernel kernel) {
  if (status == 0) return;
  throw c10::AcceleratorError(
      {__func__, __FILE__, __LINE__}, status,
      std::string("CUDA error ") + std::to_string(status) + " of our kernel " + kNames[kernel]);
}

at::Tensor run_group_norm(const at::Tensor& input, const at::Tensor& weight, const at::Tensor& bias,
                          std::int64_t groups, double eps, Activation activation) {
  at::Tensor output = at::empty_like(input);  // channels-last, as the input is
  const std::int64_t rows = input.size(2) * input.size(3);
  const NormPlan plan = plan_norm(rows, input.size(1), groups);
  at::Tensor partial =
      at::empty({plan.partial_floats(input.size(0))}, input.options().dtype(at::kFloat));
  const Ssd1bGroupNorm call{input.const_data_ptr(),
                            weight.const_data_ptr(),
                            bias.const_data_ptr(),
                            output.data_ptr(),
                            partial.mutable_data_ptr<float>(),
                            input.size(0),
                            rows,
                            input.size(1),
                            groups,
                            eps,
                            activation == Activation::Silu ? 1 : 0,
                            dtype_number(input.scalar_type())};
  check_launch(Library::instance().group_norm(&call, stream_of(input)), GroupNormKernel);
  return output;
}

at::Tensor run_geglu(const at::Tensor& both) {
  std::vector<std::int64_t> shape = both.sizes().vec();
  shape.back() /= 2;
  at::Tensor output = at::empty(shape, both.options());
  const std::int64_t tokens = both.numel() / both.size(-1);
  check_launch(
      Library::instance().geglu(both.const_data_ptr(), output.data_ptr(), tokens, shape.back(),
                                dtype_number(both.scalar_type()), stream_of(both)),
      GegluKernel);
  return output;
}

at::Tensor run_to_bytes(const at::Tensor& pixels) {
  at::Tensor bytes =
      at::empty({pixels.size(2), pixels.size(3), 3}, pixels.options().dtype(at::kByte));
  check_launch(Library::instance().to_bytes(pixels.const_data_ptr(), pixels.strides().data() + 1,
                                            bytes.mutable_data_ptr<std::uint8_t>(), pixels.size(2),
                                            pixels.size(3), dtype_number(pixels.scalar_type()),
                                            stream_of(pixels)),
               ToBytesKernel);
  return bytes;
}

/// How far two ways to one result may be apart: a few units in the last place of values of about 4.
double tolerance_of(at::ScalarType dtype) {
  return dtype == at::kFloat ? 2e-5 : dtype == at::kHalf ? 1.6e-2 : 1.3e-1;
}

double largest_difference(const at::Tensor& a, const at::Tensor& b) {
  return (a.to(at::kFloat) - b.to(at::kFloat)).abs().max().item<double>();  // NaN stays NaN
}

using Comparison = std::function<double()>;

/// A tensor as networks make them: about 1 wide, beside zero, the same at every start.
at::Tensor sample(at::IntArrayRef shape, const at::TensorOptions& options) {
  const std::int64_t count = c10::multiply_integers(shape);
  return (at::sin(at::arange(count, options.dtype(at::kFloat)) * 1.7) * 2.0 + 0.5)
      .to(options.dtype().toScalarType())
      .view(shape);
}

/// SSD-1B's widest norm, one with few channels a group, odd sizes of the picture, and one of as
/// many rows as the VAE has, whose sums have a kernel of their own.
double compare_group_norm(const at::TensorOptions& options) {
  double difference = 0.0;
  for (const auto& [channels, side] :
       {std::pair<std::int64_t, std::int64_t>{2560, 8}, {640, 65}, {128, 33}, {512, 113}}) {
    const at::Tensor input =
        sample({2, channels, side, side}, options).contiguous(at::MemoryFormat::ChannelsLast);
    const at::Tensor weight = sample({channels}, options), bias = sample({channels}, options);
    for (const Activation activation : {Activation::None, Activation::Silu}) {
      const at::Tensor ours = run_group_norm(input, weight, bias, 32, 1e-5, activation);
      const at::Tensor norm = at::group_norm(input, 32, weight, bias, 1e-5);
      const at::Tensor theirs = activation == Activation::Silu ? at::silu(norm) : norm;
      difference = std::max(difference, largest_difference(ours, theirs));
    }
  }
  return difference;
}

double compare_geglu(const at::TensorOptions& options) {
  const at::Tensor both = sample({2, 77, 2 * 640}, options);
  const std::vector<at::Tensor> halves = both.chunk(2, -1);
  return largest_difference(run_geglu(both), halves[0] * at::gelu(halves[1]));
}

double compare_to_bytes(const at::TensorOptions& options) {
  const at::Tensor pixels = sample({1, 3, 64, 72}, options);
  const at::Tensor turned = pixels.contiguous(at::MemoryFormat::ChannelsLast);
  return std::max(largest_difference(run_to_bytes(pixels), aten_to_bytes(pixels)),
                  largest_difference(run_to_bytes(turned), aten_to_bytes(turned)));
}

KernelProof prove(Kernel kernel, int dtype, const Comparison& compare, double tolerance) {
  KernelProof proof;
  proof.name = kNames[kernel];
  try {
    proof.difference = compare();
    proof.is_used = proof.difference <= tolerance;  // not where it is NaN
    if (!proof.is_used) {
      proof.why_not = "it differs from ATen by more than " + std::to_string(tolerance);
    }
  } catch (const c10::Error& error) {
    proof.why_not = error.what_without_backtrace();
  }
  Library::instance().is_proven[kernel][dtype] = proof.is_used;
  return proof;
}

}  // namespace

std::vector<KernelProof> prove_cuda_kernels(const c10::Device& device, at::ScalarType dtype) {
  if (!device.is_cuda() || !Library::instance().is_open()) return {};
  const at::TensorOptions options = at::dtype(dtype).device(device);
  const double tolerance = tolerance_of(dtype);
  const int number = dtype_number(dtype);
  return {prove(
              GroupNormKernel, number, [&] { return compare_group_norm(options); }, 4 * tolerance),
          prove(
              GegluKernel, number, [&] { return compare_geglu(options); }, tolerance),
          prove(
              ToBytesKernel, number, [&] { return compare_to_bytes(options); }, 0.0)};
}

std::optional<at::Tensor> cuda_group_norm(const at::Tensor& input, const at::Tensor& weight,
                                          const at::Tensor& bias, std::int64_t groups, double eps,
                                          Activation activation) {
  const bool fits = is_proven(GroupNormKernel, input) && input.dim() == 4 &&
                    input.is_contiguous(at::MemoryFormat::ChannelsLast) &&
                    weight.scalar_type() == input.scalar_type() &&
                    can_plan_norm(input.size(1), groups);
  if (!fits) return std::nullopt;
  return run_group_norm(input, weight, bias, groups, eps, activation);
}

std::optional<at::Tensor> cuda_geglu(const at::Tensor& both) {
  const bool fits = is_proven(GegluKernel, both) && both.is_contiguous() && both.size(-1) % 4 == 0;
  if (!fits) return std::nullopt;
  return run_geglu(both);
}

std::optional<at::Tensor> cuda_to_bytes(const at::Tensor& pixels) {
  if (!is_proven(ToBytesKernel, pixels) || pixels.size(0) != 1) return std::nullopt;
  return run_to_bytes(pixels);
}

at::Tensor aten_to_bytes(const at::Tensor& pixels) {
  const at::Tensor unit = (pixels * 0.5 + 0.5).clamp(0.0, 1.0);
  const at::Tensor rows = unit.squeeze(0).permute({1, 2, 0}).to(at::kFloat);  // [H, W, 3]
  return (rows * 255.0).round().to(at::kByte).contiguous();
}

}  // namespace ssd1b
