#pragma once

#include <c10/core/Device.h>

#include <string>

namespace ssd1b {

/// The device of a name as api.md has it, `cpu` or `cuda:N`, checked to be usable. For a GPU this
/// opens libtorch_cuda.so, so it must come before any other torch call of the process: the CUDA
/// hooks are cached at first use. Throws Error(NoDevice) with what was found, what is needed and
/// the way out, in one line; Error(Usage) for another name.
c10::Device open_device(const std::string& name);

}  // namespace ssd1b
