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

Json compare(const char* kernel, const at::Tensor& input, const Work& ours, const Work& theirs,
             const at::Tensor& wanted) {
  const c10::Device device = input.device();
  return {{"kernel", kernel},
          {"shape", input.sizes().vec()},
          {"dtype", dtype_name(input.scalar_type())},
          {"ours_ms", device_ms(ours, device)},
          {"aten_ms", device_ms(theirs, device)},
          {"ours_error", relative_error(ours(), wanted)},
          {"aten_error", relative_error(theirs(), wanted)}};
}

Json group_norm(const std::vector<std::int64_t>& shape, const at::TensorOptions& options) {
  const at::Tensor input =
      (at::randn(shape, options) + 0.3).contiguous(at::MemoryFormat::ChannelsLast);
  const at::Tensor weight = at::randn({shape[1]}, options), bias = at::randn({shape[1]}, options);
  const auto theirs = [&](const at::Tensor& of) {
    return at::silu(at::group_norm(of, kGroups, weight.to(of.dtype()), bias.to(of.dtype()), 1e-5));
  };
  return compare(
      "group_norm_silu", input,
      [&] { return *cuda_group_norm(input, weight, bias, kGroups, 1e-5, Activation::Silu); },
      [&] { return theirs(input); }, theirs(input.to(at::kDouble)));
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

Json run(const c10::Device& device) {
  Json results = Json::array();
  for (const at::ScalarType dtype : {at::kFloat, at::kHalf, at::kBFloat16}) {
    const at::TensorOptions options = at::dtype(dtype).device(device);
    for (const KernelProof& proof : prove_cuda_kernels(device, dtype)) {
      if (!proof.is_used) {
        throw std::runtime_error(proof.name + " in " + dtype_name(dtype) + ": " + proof.why_not);
      }
    }
    if (dtype == at::kFloat) continue;  // proven, not timed
    // Of the UNet at 1024 x 1024 with guidance, then of the VAE.
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
    results.push_back(geglu({2, 4096, 2 * 2560}, options));
    results.push_back(geglu({2, 1024, 2 * 5120}, options));
    results.push_back(to_bytes({1, 3, 1024, 1024}, options));
  }
  return results;
}

}  // namespace
}  // namespace ssd1b

int main(int argc, char** argv) {
  std::string device = "cuda:0";
  CLI::App app("Times our CUDA kernels beside ATen");
  app.add_option("--device", device);
  CLI11_PARSE(app, argc, argv);
  try {
    const c10::Device opened = ssd1b::open_device(device);
    const c10::InferenceMode no_gradients;
    std::cout << ssd1b::run(opened).dump() << '\n';
  } catch (const std::exception& error) {
    std::cerr << error.what() << '\n';
    return 1;
  }
  return 0;
}
