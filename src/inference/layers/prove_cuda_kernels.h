#pragma once

#include <c10/core/Device.h>
#include <c10/core/ScalarType.h>

#include <string>
#include <vector>

namespace ssd1b {

/// What proving one kernel found.
struct KernelProof {
  std::string name;
  bool is_used = false;
  double difference = 0.0;  // the largest, beside values of about 1
  std::string why_not;
};

/// Opens the library, runs every kernel in `dtype` on `device` beside its twin of ATen and switches
/// on those that agree. Empty where the library is not there. Waits for the device. Used by the
/// device thread only, before weights are loaded: how they are arranged depends on it.
std::vector<KernelProof> prove_cuda_kernels(const c10::Device& device, at::ScalarType dtype);

}  // namespace ssd1b
