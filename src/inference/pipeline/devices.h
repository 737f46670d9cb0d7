#pragma once

#include <c10/core/Device.h>

#include <string>

namespace ssd1b {

/// The device of a name as --device has it, `cpu` or `cuda:N`, checked to be usable. For a GPU this
/// opens libtorch_cuda.so, so it must come before any other torch call of the process: the CUDA
/// hooks are cached at first use. Throws Error(NoDevice) with what was found, what is needed and
/// the way out, in one line; Error(Usage) for another name.
c10::Device open_device(const std::string& name);

/// The first number of a GPU's compute capability: 8 Ampere and Ada, 9 Hopper. Of a GPU that
/// open_device has opened. Throws Error(NoDevice).
int compute_capability_major(int index);

}  // namespace ssd1b
