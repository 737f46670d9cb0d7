// libssd1b_cuda_graph.so: at::cuda::CUDAGraph behind DeviceGraph.
#include <ATen/core/CachingHostAllocator.h>
#include <ATen/cuda/CUDAGraph.h>
#include <c10/core/StreamGuard.h>
#include <c10/cuda/CUDACachingAllocator.h>

#include "inference/device_graph/device_graph.h"

namespace ssd1b {
namespace {

class CudaGraph : public DeviceGraph {
 public:
  explicit CudaGraph(const c10::Stream& side) : side_(side), pool_(at::cuda::graph_pool_handle()) {}

  void record(const std::function<void()>& work) override {
    // What the allocator holds unused it cannot give to the graph's own pool during the recording.
    c10::cuda::CUDACachingAllocator::emptyCache();
    const c10::StreamGuard on_side(side_);
    try {
      // Thread local: what other threads ask of the device does not end the recording.
      graph_.capture_begin(pool_, cudaStreamCaptureModeThreadLocal);
      work();
      graph_.capture_end();
    } catch (...) {
      abandon();
      throw;
    }
  }

  void replay() override { graph_.replay(); }

 private:
  /// Ends a recording that failed. Where CUDA has ended it already, capture_end of libtorch 2.11
  /// throws before it tells its allocators (pytorch#180395): they would keep a pointer to graph_.
  void abandon() {
    try {
      graph_.capture_end();
      return;
    } catch (const c10::Error&) {  // the first error is the one that counts
    }
    try {
      c10::cuda::CUDACachingAllocator::endAllocateToPool(side_.device_index(), pool_);
      c10::cuda::CUDACachingAllocator::releasePool(side_.device_index(), pool_);
      at::HostAllocator& host = *at::getHostAllocator(at::kCUDA);
      host.end_allocate_to_pool(pool_);
      host.release_pool(pool_);
    } catch (const c10::Error&) {  // they had been told, or had never begun
    }
  }

  const c10::Stream side_;
  const at::cuda::MempoolId_t pool_;
  at::cuda::CUDAGraph graph_;
};

}  // namespace

extern "C" int ssd1b_cuda_graph_version() { return kDeviceGraphVersion; }

extern "C" DeviceGraph* ssd1b_new_cuda_graph(const c10::Stream& side) {
  return std::make_unique<CudaGraph>(side).release();
}

}  // namespace ssd1b
