#pragma once

#include <ATen/core/Tensor.h>

#include <array>

#include "kernels.h"

namespace ssd1b {

enum CudaKernel {
  GroupNormKernel,
  LayerNormKernel,
  SoftmaxKernel,
  AddKernel,
  InterleaveKernel,
  GegluKernel,
  ToBytesKernel,
  CudaKernelCount
};

const char* name_of(CudaKernel kernel);

/// libssd1b_kernels.so beside the running program, and which of its kernels may be used. One a
/// process, as the device is; used by the device thread only.
class KernelLibrary {
 public:
  static KernelLibrary& instance();

  bool is_open() const { return version_ == kSsd1bKernelsVersion; }

  bool is_used(CudaKernel kernel, at::ScalarType dtype) const;
  void use(CudaKernel kernel, at::ScalarType dtype, bool is_used);

  decltype(&ssd1b_group_norm) group_norm = nullptr;
  decltype(&ssd1b_layer_norm) layer_norm = nullptr;
  decltype(&ssd1b_softmax) softmax = nullptr;
  decltype(&ssd1b_add) add = nullptr;
  decltype(&ssd1b_interleave) interleave = nullptr;
  decltype(&ssd1b_geglu) geglu = nullptr;
  decltype(&ssd1b_to_bytes) to_bytes = nullptr;

 private:
  static constexpr int kDtypes = 3;

  KernelLibrary();

  int version_ = 0;
  std::array<std::array<bool, kDtypes>, CudaKernelCount> is_used_{};
};

/// As kernels.h numbers them; -1: none of them.
int kernel_dtype(at::ScalarType dtype);

}  // namespace ssd1b
