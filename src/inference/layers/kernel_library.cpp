#include "inference/layers/kernel_library.h"

#include <dlfcn.h>

#include <filesystem>
#include <type_traits>

namespace ssd1b {

const char* name_of(CudaKernel kernel) {
  constexpr std::array<const char*, CudaKernelCount> names = {
      "group_norm", "layer_norm", "softmax", "add", "interleave", "geglu", "to_bytes"};
  return names[kernel];
}

KernelLibrary& KernelLibrary::instance() {
  static KernelLibrary library;
  return library;
}

KernelLibrary::KernelLibrary() {
  std::error_code ignored;
  const auto program = std::filesystem::read_symlink("/proc/self/exe", ignored);
  const auto path = program.parent_path() / "libssd1b_kernels.so";
  void* library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) return;
  const auto find = [&](auto& function, const char* name) {
    function = reinterpret_cast<std::decay_t<decltype(function)>>(dlsym(library, name));
    return function != nullptr;
  };
  decltype(&ssd1b_kernels_version) version = nullptr;
  const bool has_all = find(version, "ssd1b_kernels_version") &&
                       find(group_norm, "ssd1b_group_norm") &&
                       find(layer_norm, "ssd1b_layer_norm") && find(softmax, "ssd1b_softmax") &&
                       find(add, "ssd1b_add") && find(interleave, "ssd1b_interleave") &&
                       find(geglu, "ssd1b_geglu") && find(to_bytes, "ssd1b_to_bytes");
  if (has_all) version_ = version();
}

bool KernelLibrary::is_used(CudaKernel kernel, at::ScalarType dtype) const {
  const int number = kernel_dtype(dtype);
  return number >= 0 && is_used_[kernel][number];
}

void KernelLibrary::use(CudaKernel kernel, at::ScalarType dtype, bool is_used) {
  is_used_.at(kernel).at(kernel_dtype(dtype)) = is_used;
}

int kernel_dtype(at::ScalarType dtype) {
  return dtype == at::kFloat ? 0 : dtype == at::kHalf ? 1 : dtype == at::kBFloat16 ? 2 : -1;
}

}  // namespace ssd1b
