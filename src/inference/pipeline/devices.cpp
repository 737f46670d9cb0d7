#include "inference/pipeline/devices.h"

#include <ATen/ATen.h>
#include <ATen/detail/CUDAHooksInterface.h>
#include <dlfcn.h>

#include <array>
#include <fstream>
#include <regex>

#include "ssd1b/pipeline.h"

namespace ssd1b {
namespace {

// The oldest NVIDIA driver that runs CUDA 13, which libtorch 2.11's wheel is built with.
constexpr const char* kDriverNeeded = "driver 580 or newer";
constexpr const char* kWayOut =
    "start containers with --gpus all, or use a libtorch built for the driver's CUDA";

/// The kernel driver's version as it names itself, or empty where none is loaded.
std::string kernel_driver_version() {
  std::ifstream file("/proc/driver/nvidia/version");
  std::string line;
  std::getline(file, line);
  std::smatch found;
  return std::regex_search(line, found, std::regex(R"(\b(\d+\.\d+(\.\d+)?)\b)")) ? found.str(1)
                                                                                 : "";
}

/// The few calls of the CUDA driver's library that listing devices needs; the library comes with
/// the driver and is opened at run time. Names and types are those of cuda.h.
class CudaDriver {
 public:
  CudaDriver() : library_(dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL)) {
    if (library_ == nullptr) {
      why_not_ = "no NVIDIA driver was found (libcuda.so.1 does not open)";
    } else if (const int status = call<int(unsigned)>("cuInit")(0); status != 0) {
      why_not_ = "the NVIDIA driver " + kernel_driver_version() + " does not start (cuInit gave " +
                 std::to_string(status) + ")";
    }
  }
  CudaDriver(const CudaDriver&) = delete;
  CudaDriver& operator=(const CudaDriver&) = delete;
  // The library stays open: libtorch_cuda uses it until the process ends.

  const std::string& why_not() const { return why_not_; }

  int device_count() const {
    int count = 0;
    return call<int(int*)>("cuDeviceGetCount")(&count) == 0 ? count : 0;
  }

  std::string name_of(int index) const {
    std::array<char, 256> name{};
    call<int(char*, int, int)>("cuDeviceGetName")(name.data(), static_cast<int>(name.size() - 1),
                                                  index);
    return name.data();
  }

  std::int64_t memory_of(int index) const {
    std::size_t bytes = 0;
    call<int(std::size_t*, int)>("cuDeviceTotalMem_v2")(&bytes, index);
    return static_cast<std::int64_t>(bytes);
  }

  int capability_major_of(int index) const {
    constexpr int kComputeCapabilityMajor = 75;  // CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR
    int major = 0;
    call<int(int*, int, int)>("cuDeviceGetAttribute")(&major, kComputeCapabilityMajor, index);
    return major;
  }

 private:
  template <class Function>
  Function* call(const char* name) const {
    auto* function = reinterpret_cast<Function*>(dlsym(library_, name));
    if (function == nullptr) {
      throw Error(ErrorCode::NoDevice, std::string("libcuda.so.1 has no ") + name +
                                           ": the NVIDIA driver is too old, " + kDriverNeeded +
                                           " is needed");
    }
    return function;
  }

  void* library_;
  std::string why_not_;
};

/// Why CUDA cannot be used, or empty. Opens libtorch_cuda.so on the first call.
const std::string& why_no_cuda() {
  static const std::string why = [] {
    const CudaDriver driver;
    if (!driver.why_not().empty()) return driver.why_not();
    // RTLD_GLOBAL: the library registers its kernels with the symbols that libtorch_cpu exports.
    if (dlopen("libtorch_cuda.so", RTLD_NOW | RTLD_GLOBAL) == nullptr) {
      return std::string("libtorch's CUDA part does not open: ") + dlerror();
    }
    if (!at::globalContext().hasCUDA()) {
      return "the NVIDIA driver " + kernel_driver_version() + " does not run this libtorch's CUDA";
    }
    return std::string();
  }();
  return why;
}

[[noreturn]] void throw_no_device(const std::string& name, const std::string& why) {
  throw Error(ErrorCode::NoDevice, "device " + name + " cannot be used: " + why + "; " +
                                       kDriverNeeded + " is needed for CUDA 13; " + kWayOut +
                                       ", or choose --device cpu");
}

}  // namespace

c10::Device open_device(const std::string& name) {
  if (name == "cpu") return c10::Device(c10::kCPU);
  static const std::regex pattern("cuda(?::(\\d{1,3}))?");
  std::smatch found;
  if (!std::regex_match(name, found, pattern)) {
    throw Error(ErrorCode::Usage, "device must be cpu or cuda:N, got \"" + name + "\"", "device");
  }
  if (!why_no_cuda().empty()) throw_no_device(name, why_no_cuda());
  const int index = found[1].matched ? std::stoi(found.str(1)) : 0;
  const int count = at::detail::getCUDAHooks().deviceCount();
  if (index >= count) {
    throw_no_device(name, "this machine has " + std::to_string(count) + " usable GPUs");
  }
  return c10::Device(c10::kCUDA, static_cast<c10::DeviceIndex>(index));
}

int compute_capability_major(int index) { return CudaDriver().capability_major_of(index); }

std::vector<DeviceInfo> list_devices() {
  std::vector<DeviceInfo> devices;
  devices.push_back({"cpu", at::get_cpu_capability(), 0, true, ""});
  if (!why_no_cuda().empty()) {
    devices.push_back({"cuda:0", "", 0, false, why_no_cuda()});
    return devices;
  }
  const CudaDriver driver;
  for (int index = 0; index < driver.device_count(); ++index) {
    devices.push_back({"cuda:" + std::to_string(index), driver.name_of(index),
                       driver.memory_of(index), true, ""});
  }
  return devices;
}

}  // namespace ssd1b
