#pragma once

#include <ATen/core/Tensor.h>
#include <c10/core/Device.h>
#include <c10/core/Event.h>

#include <cstdint>
#include <optional>

#include "inference/pipeline/precision.h"

namespace ssd1b {

/// The tensor on `device`. To a GPU it goes through pinned memory, behind what is enqueued there:
/// the host waits for nothing.
at::Tensor upload(const at::Tensor& host, const c10::Device& device);

/// Keeps the host at most one UNet call ahead of the device: so far that the device never waits for
/// the host, no farther, so that a cancelled picture costs one call. On the CPU it does nothing.
/// Used by the device thread only.
class CallFence {
 public:
  explicit CallFence(const c10::Device& device) : device_(device) {}

  /// A call has been enqueued: waits for the one before it.
  void mark();
  /// Waits for all calls that were marked.
  void wait();

 private:
  const c10::Device device_;
  std::optional<c10::Event> last_;
};

/// What a GPU has, and what of it is free now.
struct DeviceMemory {
  std::int64_t free_bytes = 0;
  std::int64_t total_bytes = 0;
};
DeviceMemory device_memory(const c10::Device& device);

/// Blocks that libtorch keeps for later tensors go back to the GPU, for where memory is short:
/// those of one network's sizes are of no use to the next. Waits for the device.
void give_back_free_memory(const c10::Device& device);

/// Settings of libtorch that hold for the process and the thread that computes: float32 that is
/// float32, the same bytes for the same request. Logged.
void set_up_device(const c10::Device& device);

/// Runs our own CUDA kernels beside ATen in the dtypes that the model computes in and switches on
/// those that agree; the others are named in the log.
void prove_kernels(const c10::Device& device, const Precision& precision);

}  // namespace ssd1b
