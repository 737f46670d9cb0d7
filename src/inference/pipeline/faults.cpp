#include "inference/pipeline/faults.h"

#include <c10/util/Exception.h>

#include <algorithm>
#include <initializer_list>
#include <string>

#include "inference/weights/want_of_memory.h"
#include "logging/log.h"

namespace ssd1b {
namespace {

constexpr const char* kOutOfMemory = "the device has not enough free memory for this picture";

bool holds_any(const std::string& text, std::initializer_list<const char*> parts) {
  return std::any_of(parts.begin(), parts.end(),
                     [&](const char* part) { return text.find(part) != std::string::npos; });
}

/// CUDA's errors are sticky: every later call on the device fails with them too. Its libraries
/// report a failed kernel of theirs in their own words.
bool is_sticky(const c10::Error& error, const std::string& text) {
  return dynamic_cast<const c10::AcceleratorError*>(&error) != nullptr ||
         holds_any(text, {"CUDA error", "CUBLAS_STATUS_EXECUTION_FAILED",
                          "CUDNN_STATUS_EXECUTION_FAILED", "CUDNN_STATUS_MAPPING_ERROR"});
}

}  // namespace

PictureFailed fault_of(const std::exception& error) {
  if (const auto* ours = dynamic_cast<const Error*>(&error)) {
    if (ours->code() == ErrorCode::DeviceLost) throw *ours;
    return {ours->code(), ours->what()};
  }
  if (is_out_of_memory(error)) return {ErrorCode::OutOfMemory, kOutOfMemory};
  if (const auto* torch = dynamic_cast<const c10::Error*>(&error)) {
    const std::string text = torch->what_without_backtrace();
    log_error("a unit of work failed", {{"libtorch", text}});
    if (is_sticky(*torch, text)) {
      throw Error(ErrorCode::DeviceLost,
                  "the device reports an error that it does not recover from");
    }
    return {ErrorCode::InternalError, "the picture could not be made"};
  }
  log_error("a unit of work failed", {{"error", std::string(error.what())}});
  return {ErrorCode::InternalError, "the picture could not be made"};
}

}  // namespace ssd1b
