#include "inference/pipeline/faults.h"

#include <c10/util/Exception.h>

#include <new>
#include <string>

#include "logging/log.h"

namespace ssd1b {
namespace {

constexpr const char* kOutOfMemory = "the device has not enough free memory for this picture";

/// libtorch's CPU allocator reports exhaustion as a plain c10::Error.
bool speaks_of_memory(const std::string& text) {
  return text.find("not enough memory") != std::string::npos ||
         text.find("can't allocate memory") != std::string::npos;
}

}  // namespace

PictureFailed fault_of(const std::exception& error) {
  if (const auto* ours = dynamic_cast<const Error*>(&error)) {
    if (ours->code() == ErrorCode::DeviceLost) throw *ours;
    return {ours->code(), ours->what()};
  }
  if (dynamic_cast<const std::bad_alloc*>(&error) != nullptr ||
      dynamic_cast<const c10::OutOfMemoryError*>(&error) != nullptr) {
    return {ErrorCode::OutOfMemory, kOutOfMemory};
  }
  if (const auto* torch = dynamic_cast<const c10::Error*>(&error)) {
    const std::string text = torch->what_without_backtrace();
    if (speaks_of_memory(text)) return {ErrorCode::OutOfMemory, kOutOfMemory};
    log_error("a unit of work failed", {{"libtorch", text}});
    // CUDA's errors are sticky: every later call on the device fails with them too.
    if (dynamic_cast<const c10::AcceleratorError*>(&error) != nullptr ||
        text.find("CUDA error") != std::string::npos) {
      throw Error(ErrorCode::DeviceLost,
                  "the device reports an error that it does not recover from");
    }
    return {ErrorCode::InternalError, "the picture could not be made"};
  }
  log_error("a unit of work failed", {{"error", std::string(error.what())}});
  return {ErrorCode::InternalError, "the picture could not be made"};
}

}  // namespace ssd1b
