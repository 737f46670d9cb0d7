#include "inference/pipeline/device_work.h"

#include <ATen/ATen.h>
#include <ATen/DeviceAccelerator.h>

#include <set>
#include <string>
#include <utility>
#include <vector>

#include "inference/layers/prove_cuda_kernels.h"
#include "inference/pipeline/devices.h"
#include "inference/weights/convert.h"
#include "logging/log.h"

namespace ssd1b {

at::Tensor upload(const at::Tensor& host, const c10::Device& device) {
  if (!device.is_cuda()) return host.to(device);
  return host.pin_memory().to(device, /*non_blocking=*/true);
}

void prove_kernels(const c10::Device& device, const Precision& precision) {
  for (const at::ScalarType dtype : std::set<at::ScalarType>{precision.networks, precision.vae}) {
    const std::string name = dtype_name(dtype);
    const std::vector<KernelProof> proofs = prove_cuda_kernels(device, dtype);
    if (device.is_cuda() && proofs.empty()) {
      log_warn("own kernels are left out", {{"reason", "there is no libssd1b_kernels.so"}});
      return;
    }
    for (const KernelProof& proof : proofs) {
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
  give_back_free_memory(device);  // what is free is counted next, and weights take whole blocks
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

DeviceMemory device_memory(const c10::Device& device) {
  const auto [free, total] = at::accelerator::getMemoryInfo(device.index());
  return {static_cast<std::int64_t>(free), static_cast<std::int64_t>(total)};
}

void give_back_free_memory(const c10::Device& device) {
  if (device.is_cuda()) at::accelerator::emptyCache();
}

void set_up_device(const c10::Device& device) {
  if (!device.is_cuda()) return;
  at::accelerator::setDeviceIndex(device.index());
  at::Context& context = at::globalContext();
  // Which attention comes first is libtorch's choice by the GPU: cuDNN's on 9.0 and 10.0, flash
  // attention elsewhere; it sets its order at the first call, whatever was set before.
  context.setAllowTF32CuDNN(false);
  context.setAllowTF32CuBLAS(false);
  // Measuring algorithms anew at every start would make other bytes of the same request.
  context.setBenchmarkCuDNN(false);
  context.setDeterministicCuDNN(true);
  log_info("device set up",
           {{"capability", compute_capability_major(device.index())}, {"tf32", false}});
}

}  // namespace ssd1b
