#include "inference/device_graph/device_graph.h"

#include <c10/core/impl/DeviceGuardImplInterface.h>
#include <dlfcn.h>

namespace ssd1b {

MakeDeviceGraph device_graphs(const c10::Device& device) {
  std::error_code ignored;
  const auto program = std::filesystem::read_symlink("/proc/self/exe", ignored);
  return device_graphs(device, program.parent_path());
}

MakeDeviceGraph device_graphs(const c10::Device& device, const std::filesystem::path& folder) {
  if (!device.is_cuda()) return {};
  const std::filesystem::path path = folder / "libssd1b_cuda_graph.so";
  void* library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);  // open until the process ends
  if (library == nullptr) return {};
  const auto version = reinterpret_cast<decltype(&ssd1b_cuda_graph_version)>(
      dlsym(library, "ssd1b_cuda_graph_version"));
  const auto make =
      reinterpret_cast<decltype(&ssd1b_new_cuda_graph)>(dlsym(library, "ssd1b_new_cuda_graph"));
  if (version == nullptr || make == nullptr || version() != kDeviceGraphVersion) return {};
  const c10::Stream side =
      c10::impl::getDeviceGuardImpl(device.type())->getStreamFromGlobalPool(device);
  return [make, side] { return std::unique_ptr<DeviceGraph>(make(side)); };
}

}  // namespace ssd1b
