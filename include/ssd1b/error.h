#pragma once

#include <stdexcept>
#include <string>

namespace ssd1b {

/// Every way a request, a model or a process can go wrong. What each becomes - an HTTP status, an
/// exit status - is decided by a switch without `default`, so a new code cannot be forgotten.
enum class ErrorCode {
  // The client's mistake.
  InvalidJson,
  InvalidValue,
  UnknownField,
  MissingField,
  DuplicateField,
  MalformedRequest,
  NotSupported,
  InvalidApiKey,
  NotFound,
  ModelNotFound,
  MethodNotAllowed,
  NotAcceptable,
  RequestTimeout,
  NotFinished,
  BodyTooLarge,
  TargetTooLong,
  HeadersTooLarge,
  UnsupportedMediaType,
  // The service's state.
  QueueFull,
  RateLimited,
  NotReady,
  OutOfMemory,
  ShuttingDown,
  TooManyConnections,
  DeadlineExceeded,
  Cancelled,  // nobody waits for the answer any more
  // Our fault.
  InternalError,
  NonFiniteOutput,
  WorkerCrashed,
  // A process cannot go on.
  Usage,          // a flag, a variable or a line of a file that is not what it must be
  BadModel,       // missing, unreadable or wrong
  NoDevice,       // no usable device
  DeviceLost,     // the device does not answer any more; the process must end
  SystemRefused,  // a port, a descriptor, a thread that was not given
};

/// The code's name on the wire, as `invalid_value`.
const char* name_of(ErrorCode code);

/// The code of a name on the wire; throws Error(InternalError) for another name.
ErrorCode error_code_of(const std::string& name);

/// The one exception type. The message says what must hold, what came, and which field or file;
/// no trailing period, no secrets, no text of another library.
class Error : public std::runtime_error {
 public:
  /// `param` names the request's field at fault, where one is.
  Error(ErrorCode code, const std::string& message, std::string param = "");

  ErrorCode code() const { return code_; }
  const std::string& param() const { return param_; }

 private:
  ErrorCode code_;
  std::string param_;
};

/// The exit status of a program that ends with this code: 64, 65, 69, 70 or 71.
int exit_status_of(ErrorCode code);

}  // namespace ssd1b
