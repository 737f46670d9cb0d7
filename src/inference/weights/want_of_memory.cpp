#include "inference/weights/want_of_memory.h"

#include <c10/util/Exception.h>

#include <algorithm>
#include <initializer_list>
#include <new>
#include <string>

#include "ssd1b/error.h"

namespace ssd1b {
namespace {

/// Want of memory that comes as a plain c10::Error: of the CPU's allocator, and of CUDA's libraries
/// when they make their workspace or a handle (NOT_INITIALIZED is what cuBLAS says then).
bool speaks_of_memory(const std::string& text) {
  const auto parts = {"not enough memory",
                      "can't allocate memory",
                      "CUDA error: out of memory",
                      "CUBLAS_STATUS_ALLOC_FAILED",
                      "CUBLAS_STATUS_NOT_INITIALIZED",
                      "CUDNN_STATUS_ALLOC_FAILED",
                      "CUDNN_STATUS_INTERNAL_ERROR_HOST_ALLOCATION",
                      "CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION"};
  return std::any_of(parts.begin(), parts.end(),
                     [&](const char* part) { return text.find(part) != std::string::npos; });
}

}  // namespace

bool is_out_of_memory(const std::exception& error) {
  if (const auto* ours = dynamic_cast<const Error*>(&error)) {
    return ours->code() == ErrorCode::OutOfMemory;
  }
  if (const auto* torch = dynamic_cast<const c10::Error*>(&error)) {
    return dynamic_cast<const c10::OutOfMemoryError*>(torch) != nullptr ||
           speaks_of_memory(torch->what_without_backtrace());
  }
  return dynamic_cast<const std::bad_alloc*>(&error) != nullptr;
}

}  // namespace ssd1b
