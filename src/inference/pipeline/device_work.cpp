#include "inference/pipeline/device_work.h"

#include <ATen/ATen.h>
#include <ATen/DeviceAccelerator.h>
#include <ATen/SDPBackend.h>

#include <set>
#include <string>
#include <utility>
#include <vector>

#include "inference/layers/cuda_kernels.h"
#include "inference/pipeline/devices.h"
#include "logging/log.h"

namespace ssd1b {
namespace {

using at::SDPBackend;

constexpr int kHopper = 9;  // major compute capability

/// Exactly as many as Context expects: it does not check. cuDNN's attention is the fastest on
/// Hopper and slower than flash attention before and after it; the others are for shapes that
/// neither takes (the VAE's single head of 512).
std::vector<std::int64_t> attention_order(int capability) {
  std::vector<SDPBackend> order = {SDPBackend::flash_attention, SDPBackend::efficient_attention,
                                   SDPBackend::cudnn_attention, SDPBackend::math,
                                   SDPBackend::overrideable};
  if (capability == kHopper) {
    order = {SDPBackend::cudnn_attention, SDPBackend::flash_attention,
             SDPBackend::efficient_attention, SDPBackend::math, SDPBackend::overrideable};
  }
  static_assert(at::num_sdp_backends == 5);
  std::vector<std::int64_t> numbers;
  for (const SDPBackend backend : order) numbers.push_back(static_cast<std::int64_t>(backend));
  return numbers;
}

}  // namespace

at::Tensor upload(const at::Tensor& host, const c10::Device& device) {
  if (!device.is_cuda()) return host.to(device);
  return host.pin_memory().to(device, /*non_blocking=*/true);
}

void prove_kernels(const c10::Device& device, const Precision& precision) {
  for (const at::ScalarType dtype : std::set<at::ScalarType>{precision.networks, precision.vae}) {
    const std::string name = dtype_name(dtype);
    for (const KernelProof& proof : prove_cuda_kernels(device, dtype)) {
      if (proof.is_used) {
        log_info("own kernel is used",
                 {{"kernel", proof.name}, {"dtype", name}, {"difference", proof.difference}});
      } else {
        log_warn("own kernel is left out", {{"kernel", proof.name},
                                            {"dtype", name},
                                            {"difference", proof.difference},
                                            {"reason", proof.why_not}});
      }
    }
  }
}

void CallFence::mark() {
  if (!device_.is_cuda()) return;
  c10::Event call(device_.type());
  call.record(at::accelerator::getCurrentStream(device_.index()));
  wait();
  last_.emplace(std::move(call));
}

void CallFence::wait() {
  if (last_) last_->synchronize();
  last_.reset();
}

std::int64_t free_device_memory(const c10::Device& device) {
  return static_cast<std::int64_t>(at::accelerator::getMemoryInfo(device.index()).first);
}

void set_up_device(const c10::Device& device) {
  if (!device.is_cuda()) return;
  at::accelerator::setDeviceIndex(device.index());
  at::Context& context = at::globalContext();
  const int capability = compute_capability_major(device.index());
  context.setSDPPriorityOrder(attention_order(capability));
  context.setAllowTF32CuDNN(false);
  context.setAllowTF32CuBLAS(false);
  // Measuring algorithms anew at every start would make other bytes of the same request.
  context.setBenchmarkCuDNN(false);
  context.setDeterministicCuDNN(true);
  log_info("device set up", {{"capability", capability},
                             {"attention", capability == kHopper ? "cudnn, flash, efficient, math"
                                                                 : "flash, efficient, cudnn, math"},
                             {"tf32", false}});
}

}  // namespace ssd1b
