#pragma once

#include <c10/core/Device.h>
#include <c10/core/Stream.h>

#include <filesystem>
#include <functional>
#include <memory>

namespace ssd1b {

/// Work of a device that is recorded once and then enqueued as a whole: the same kernels on the
/// same addresses without the host's work of launching them one by one. Used by the device thread
/// only.
class DeviceGraph {
 public:
  virtual ~DeviceGraph() = default;

  /// Records what `work` enqueues, without doing it; once. `work` must not wait for the device.
  /// What it reads must stay where it is, what it makes holds its result after each replay. Throws
  /// c10::Error and what `work` throws; then the graph is of no use, the device is as it was.
  virtual void record(const std::function<void()>& work) = 0;
  /// Enqueues what was recorded on the current stream.
  virtual void replay() = 0;
};

/// Makes one graph after another. Empty: there are none.
using MakeDeviceGraph = std::function<std::unique_ptr<DeviceGraph>()>;

/// For a GPU, which has been opened, by libssd1b_cuda_graph.so of that folder; empty for the CPU
/// and where the library is not there.
MakeDeviceGraph device_graphs(const c10::Device& device, const std::filesystem::path& folder);
/// By the library beside the running program.
MakeDeviceGraph device_graphs(const c10::Device& device);

// What libssd1b_cuda_graph.so exports. It is opened at run time because it names types of
// libtorch_cuda, which programs do not link.
extern "C" {

/// Grows when DeviceGraph or anything below changes.
constexpr int kDeviceGraphVersion = 1;
int ssd1b_cuda_graph_version();

/// A graph that is the caller's. It records on `side`, which is not the default stream; the same
/// for all graphs of a device, because CUDA's libraries keep workspaces for each stream.
DeviceGraph* ssd1b_new_cuda_graph(const c10::Stream& side);
}

}  // namespace ssd1b
