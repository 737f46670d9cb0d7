// ssd1b-kernel-run times our CUDA kernels beside their twins of ATen at the sizes of SSD-1B's UNet
// and VAE and compares both with float64: ssd1b-kernel-run --device cuda:0 prints one JSON object.
#include <ATen/ATen.h>
#include <ATen/DeviceAccelerator.h>
#include <c10/core/InferenceMode.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <iostream>
#include <nlohmann/json.hpp>

#include "inference/layers/cuda_kernels.h"
#include "inference/layers/norms.h"
#include "inference/layers/prove_cuda_kernels.h"
#include "inference/layers/resample.h"
#include "inference/layers/unbiased.h"
#include "inference/pipeline/devices.h"
#include "inference/weights/convert.h"

namespace ssd1b {
namespace {

using Json = nlohmann::ordered_json;
using Work = std::function<at::Tensor()>;

constexpr int kWarmUps = 3;
constexpr int kRuns = 20;
constexpr std::int64_t kGroups = 32;

/// Of the device's work alone: what the host takes to enqueue it is hidden by the runs before.
double device_ms(const Work& work, const c10::Device& device) {
  for (int i = 0; i < kWarmUps; ++i) work();
  at::accelerator::synchronizeDevice(device.index());
  const auto begin = std::chrono::steady_clock::now();
  for (int i = 0; i < kRuns; ++i) work();
  at::accelerator::synchronizeDevice(device.index());
  const std::chrono::duration<double, std::milli> passed = std::chrono::steady_clock::now() - begin;
  return passed.count() / kRuns;
}

/// ||result - wanted|| / ||wanted||
double relative_error(const at::Tensor& result, const at::Tensor& wanted) {
  return ((result.to(at::kDouble) - wanted).norm() / wanted.norm()).item<double>();
}

Json described(const char* kernel, const at::Tensor& input) {
  return {{"kernel", kernel},
          {"shape", input.sizes().vec()},
          {"dtype", dtype_name(input.scalar_type())}};
}

Json compare(const char* kernel, const at::Tensor& input, const Work& ours, const Work& theirs,
             const at::Tensor& wanted) {
  Json found = described(kernel, input);
  found["ours_ms"] = device_ms(ours, input.device());
  found["aten_ms"] = device_ms(theirs, input.device());
  found["ours_error"] = relative_error(ours(), wanted);
  found["aten_error"] = relative_error(theirs(), wanted);
  return found;
}

Json group_norm(const std::vector<std::int64_t>& shape, const at::TensorOptions& options) {
  const at::Tensor input =
      (at::randn(shape, options) + 0.3).contiguous(at::MemoryFormat::ChannelsLast);
  GroupNorm norm(kGroups, shape[1], 1e-5);
  norm.weight.value = at::randn({shape[1]}, options);
  norm.bias.value = at::randn({shape[1]}, options);
  const auto theirs = [&](const at::Tensor& of) {
    return at::silu(at::group_norm(of, kGroups, norm.weight.value.to(of.dtype()),
                                   norm.bias.value.to(of.dtype()), norm.eps));
  };
  return compare(
      "group_norm_silu", input,
      [&] {
        return *cuda_group_norm({input, {}}, {}, norm, Activation::Silu);
      },
      [&] { return theirs(input); }, theirs(input.to(at::kDouble)));
}

Json layer_norm(const std::vector<std::int64_t>& shape, const at::TensorOptions& options) {
  const at::Tensor input = at::randn(shape, options) + 0.3;
  const std::int64_t width = shape.back();
  LayerNorm norm(width, 1e-5);
  norm.weight.value = at::randn({width}, options);
  norm.bias.value = at::randn({width}, options);
  const auto theirs = [&](const at::Tensor& of) {
    return at::layer_norm(of, {width}, norm.weight.value.to(of.dtype()),
                          norm.bias.value.to(of.dtype()), norm.eps);
  };
  return compare(
      "layer_norm", input, [&] { return *cuda_layer_norm(input, {}, norm, 0); },
      [&] { return theirs(input); }, theirs(input.to(at::kDouble)));
}

/// A convolution's result, its bias and the residual, in the first one's place: what is timed adds
/// to the same picture again and again, what is compared to a copy.
Json add(const std::vector<std::int64_t>& shape, const at::TensorOptions& options) {
  const at::Tensor first = at::randn(shape, options).contiguous(at::MemoryFormat::ChannelsLast);
  const at::Tensor second = at::randn(shape, options).contiguous(at::MemoryFormat::ChannelsLast);
  const at::Tensor bias = at::randn({shape[1]}, options);
  const auto ours = [&](const at::Tensor& to) {
    cuda_add(to, second, {bias, {}});
    return to;
  };
  const auto theirs = [&](const at::Tensor& to) {
    return to.add_(bias.to(to.dtype()).view({-1, 1, 1})).add_(second.to(to.dtype()));
  };
  const at::Tensor wanted = theirs(first.to(at::kDouble));
  const at::Tensor sum = first.clone();
  Json found = described("add", first);
  found["ours_ms"] = device_ms([&] { return ours(sum); }, first.device());
  found["aten_ms"] = device_ms([&] { return theirs(sum); }, first.device());
  found["ours_error"] = relative_error(ours(first.clone()), wanted);
  found["aten_error"] = relative_error(theirs(first.clone()), wanted);
  return found;
}

Json interleave(const std::vector<std::int64_t>& shape, const at::TensorOptions& options) {
  const at::Tensor parts = at::randn(shape, options).contiguous(at::MemoryFormat::ChannelsLast);
  const std::int64_t channels = shape[1] / 4;
  const at::Tensor bias = at::randn({channels}, options);
  const auto theirs = [&](const at::Tensor& of) {
    const at::Tensor out = at::empty({shape[0], channels, 2 * (shape[2] - 1), 2 * (shape[3] - 1)},
                                     of.options().memory_format(at::MemoryFormat::ChannelsLast));
    for (int i = 0; i < 4; ++i) place_upsampled(of.chunk(4, 1)[i], i, out);
    return out + bias.to(of.dtype()).view({-1, 1, 1});
  };
  return compare(
      "interleave", parts, [&] { return *cuda_interleave(parts, bias); },
      [&] { return theirs(parts); }, theirs(parts.to(at::kDouble)));
}

Json softmax(const std::vector<std::int64_t>& shape, const at::TensorOptions& options) {
  const at::Tensor scores = 20 * at::randn(shape, options.dtype(at::kFloat));
  const at::ScalarType dtype = options.dtype().toScalarType();
  const auto theirs = [&](const at::Tensor& of) {
    return (at::softmax(of * 0.05, -1) * 256.0)
        .to(of.scalar_type() == at::kFloat ? dtype : at::kDouble);
  };
  Json found = compare(
      "softmax", scores, [&] { return *cuda_softmax(scores, 0.05, 256.0, dtype); },
      [&] { return theirs(scores); }, theirs(scores.to(at::kDouble)));
  found["dtype"] = dtype_name(dtype);
  return found;
}

Json geglu(const std::vector<std::int64_t>& shape, const at::TensorOptions& options) {
  const at::Tensor both = at::randn(shape, options);
  const auto theirs = [&](const at::Tensor& of) {
    const std::vector<at::Tensor> halves = of.chunk(2, -1);
    return halves[0] * at::gelu(halves[1]);
  };
  return compare(
      "geglu", both, [&] { return *cuda_geglu(both); }, [&] { return theirs(both); },
      theirs(both.to(at::kDouble)));
}

Json to_bytes(const std::vector<std::int64_t>& shape, const at::TensorOptions& options) {
  const at::Tensor pixels = at::randn(shape, options).contiguous(at::MemoryFormat::ChannelsLast);
  return compare(
      "to_bytes", pixels, [&] { return *cuda_to_bytes(pixels); },
      [&] { return aten_to_bytes(pixels); }, aten_to_bytes(pixels).to(at::kDouble));
}

/// Proves all kernels in all dtypes, names each, and throws where one may not be used.
void prove(const c10::Device& device) {
  bool are_used = true;
  for (const at::ScalarType dtype : {at::kFloat, at::kHalf, at::kBFloat16}) {
    for (const KernelProof& proof : prove_cuda_kernels(device, dtype)) {
      std::cerr << proof.name << " in " << dtype_name(dtype) << ": differs by " << proof.difference
                << ' ' << proof.why_not << '\n';
      are_used = are_used && proof.is_used;
    }
  }
  if (!are_used) throw std::runtime_error("a kernel may not be used");
}

/// Of the UNet at 1024 x 1024 with guidance, and of the VAE.
Json time_kernels(const at::TensorOptions& options) {
  Json results = Json::array();
  for (const std::vector<std::int64_t>& shape :
       std::vector<std::vector<std::int64_t>>{{2, 320, 128, 128},
                                              {2, 960, 128, 128},
                                              {2, 640, 64, 64},
                                              {2, 1280, 32, 32},
                                              {2, 2560, 32, 32},
                                              {16, 320, 128, 128},
                                              {1, 512, 128, 128},
                                              {1, 512, 512, 512},
                                              {1, 256, 1024, 1024},
                                              {1, 128, 1024, 1024}}) {
    results.push_back(group_norm(shape, options));
  }
  results.push_back(layer_norm({2, 4096, 640}, options));
  results.push_back(layer_norm({2, 1024, 1280}, options));
  results.push_back(add({2, 320, 128, 128}, options));
  results.push_back(add({1, 128, 1024, 1024}, options));
  results.push_back(interleave({2, 4 * 640, 65, 65}, options));
  results.push_back(interleave({1, 4 * 256, 513, 513}, options));
  results.push_back(softmax({4096, 16384}, options));
  results.push_back(geglu({2, 4096, 2 * 2560}, options));
  results.push_back(geglu({2, 1024, 2 * 5120}, options));
  results.push_back(to_bytes({1, 3, 1024, 1024}, options));
  return results;
}

}  // namespace
}  // namespace ssd1b

int main(int argc, char** argv) {
  std::string device = "cuda:0";
  CLI::App app("Times our CUDA kernels beside ATen");
  app.add_option("--device", device);
  bool only_prove = false;
  app.add_flag("--prove", only_prove, "time nothing: for compute-sanitizer");
  CLI11_PARSE(app, argc, argv);
  try {
    const c10::Device opened = ssd1b::open_device(device);
    const c10::InferenceMode no_gradients;
    ssd1b::prove(opened);
    if (only_prove) return 0;
    ssd1b::Json results = ssd1b::Json::array();
    for (const at::ScalarType dtype : {at::kHalf, at::kBFloat16}) {
      for (auto& each : ssd1b::time_kernels(at::dtype(dtype).device(opened))) {
        results.push_back(std::move(each));
      }
    }
    std::cout << results.dump() << '\n';
  } catch (const std::exception& error) {
    std::cerr << error.what() << '\n';
    return 1;
  }
  return 0;
}
