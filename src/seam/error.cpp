#include "ssd1b/error.h"

#include <array>
#include <utility>

namespace ssd1b {
namespace {

constexpr std::array<std::pair<ErrorCode, const char*>, 34> kNames = {{
    {ErrorCode::InvalidJson, "invalid_json"},
    {ErrorCode::InvalidValue, "invalid_value"},
    {ErrorCode::UnknownField, "unknown_field"},
    {ErrorCode::MissingField, "missing_field"},
    {ErrorCode::DuplicateField, "duplicate_field"},
    {ErrorCode::MalformedRequest, "malformed_request"},
    {ErrorCode::NotSupported, "not_supported"},
    {ErrorCode::InvalidApiKey, "invalid_api_key"},
    {ErrorCode::NotFound, "not_found"},
    {ErrorCode::ModelNotFound, "model_not_found"},
    {ErrorCode::MethodNotAllowed, "method_not_allowed"},
    {ErrorCode::NotAcceptable, "not_acceptable"},
    {ErrorCode::RequestTimeout, "request_timeout"},
    {ErrorCode::NotFinished, "not_finished"},
    {ErrorCode::BodyTooLarge, "body_too_large"},
    {ErrorCode::TargetTooLong, "target_too_long"},
    {ErrorCode::HeadersTooLarge, "headers_too_large"},
    {ErrorCode::UnsupportedMediaType, "unsupported_media_type"},
    {ErrorCode::QueueFull, "queue_full"},
    {ErrorCode::RateLimited, "rate_limited"},
    {ErrorCode::NotReady, "not_ready"},
    {ErrorCode::OutOfMemory, "out_of_memory"},
    {ErrorCode::ShuttingDown, "shutting_down"},
    {ErrorCode::TooManyConnections, "too_many_connections"},
    {ErrorCode::DeadlineExceeded, "deadline_exceeded"},
    {ErrorCode::Cancelled, "cancelled"},
    {ErrorCode::InternalError, "internal_error"},
    {ErrorCode::NonFiniteOutput, "non_finite_output"},
    {ErrorCode::WorkerCrashed, "worker_crashed"},
    {ErrorCode::Usage, "usage"},
    {ErrorCode::BadModel, "bad_model"},
    {ErrorCode::NoDevice, "no_device"},
    {ErrorCode::DeviceLost, "device_lost"},
    {ErrorCode::SystemRefused, "system_refused"},
}};

}  // namespace

Error::Error(ErrorCode code, const std::string& message, std::string param)
    : std::runtime_error(message), code_(code), param_(std::move(param)) {}

const char* name_of(ErrorCode code) {
  for (const auto& [each, name] : kNames) {
    if (each == code) return name;
  }
  return "internal_error";
}

ErrorCode error_code_of(const std::string& name) {
  for (const auto& [code, each] : kNames) {
    if (name == each) return code;
  }
  throw Error(ErrorCode::InternalError, "no error has the name \"" + name + "\": this is a bug");
}

int exit_status_of(ErrorCode code) {
  switch (code) {
    case ErrorCode::Usage:
      return 64;
    case ErrorCode::BadModel:
    case ErrorCode::NonFiniteOutput:
      return 65;
    case ErrorCode::NoDevice:
      return 69;
    case ErrorCode::DeviceLost:
    case ErrorCode::WorkerCrashed:
    case ErrorCode::OutOfMemory:
      return 70;
    case ErrorCode::SystemRefused:
      return 71;
    case ErrorCode::InvalidJson:
    case ErrorCode::InvalidValue:
    case ErrorCode::UnknownField:
    case ErrorCode::MissingField:
    case ErrorCode::DuplicateField:
    case ErrorCode::MalformedRequest:
    case ErrorCode::NotSupported:
    case ErrorCode::InvalidApiKey:
    case ErrorCode::NotFound:
    case ErrorCode::ModelNotFound:
    case ErrorCode::MethodNotAllowed:
    case ErrorCode::NotAcceptable:
    case ErrorCode::RequestTimeout:
    case ErrorCode::NotFinished:
    case ErrorCode::BodyTooLarge:
    case ErrorCode::TargetTooLong:
    case ErrorCode::HeadersTooLarge:
    case ErrorCode::UnsupportedMediaType:
      return 64;  // of ssd1b-generate, whose flags are a request's fields
    case ErrorCode::QueueFull:
    case ErrorCode::RateLimited:
    case ErrorCode::NotReady:
    case ErrorCode::ShuttingDown:
    case ErrorCode::TooManyConnections:
    case ErrorCode::DeadlineExceeded:
    case ErrorCode::Cancelled:
    case ErrorCode::InternalError:
      return 70;
  }
  return 70;
}

}  // namespace ssd1b
