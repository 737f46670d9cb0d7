#include "service/http/http.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "service/http/gate/head_gate.h"

namespace ssd1b {
namespace {

/// OpenAI's word for the kind of error.
const char* type_of(int status) {
  if (status == 401) return "authentication_error";
  if (status == 429) return "rate_limit_error";
  return status < 500 ? "invalid_request_error" : "server_error";
}

/// Faults of ours whose text says where a file lies or which call failed: for the log only.
bool is_internal(ErrorCode code) {
  return status_of(code) == 500 && code != ErrorCode::NonFiniteOutput &&
         code != ErrorCode::WorkerCrashed;
}

}  // namespace

std::string HttpRequest::header(const std::string& name) const {
  const std::string* value = find_field(headers, name);
  return value != nullptr ? *value : std::string();
}

int status_of(ErrorCode code) {
  switch (code) {
    case ErrorCode::InvalidJson:
    case ErrorCode::InvalidValue:
    case ErrorCode::UnknownField:
    case ErrorCode::MissingField:
    case ErrorCode::DuplicateField:
    case ErrorCode::MalformedRequest:
    case ErrorCode::NotSupported:
      return 400;
    case ErrorCode::InvalidApiKey:
      return 401;
    case ErrorCode::NotFound:
    case ErrorCode::ModelNotFound:
      return 404;
    case ErrorCode::MethodNotAllowed:
      return 405;
    case ErrorCode::NotAcceptable:
      return 406;
    case ErrorCode::RequestTimeout:
      return 408;
    case ErrorCode::NotFinished:
      return 409;
    case ErrorCode::BodyTooLarge:
      return 413;
    case ErrorCode::TargetTooLong:
      return 414;
    case ErrorCode::UnsupportedMediaType:
      return 415;
    case ErrorCode::HeadersTooLarge:
      return 431;
    case ErrorCode::QueueFull:
    case ErrorCode::RateLimited:
      return 429;
    case ErrorCode::Cancelled:
      return 499;  // as nginx has it: nobody reads this reply
    case ErrorCode::InternalError:
    case ErrorCode::NonFiniteOutput:
    case ErrorCode::WorkerCrashed:
    case ErrorCode::Usage:
    case ErrorCode::BadModel:
    case ErrorCode::NoDevice:
    case ErrorCode::DeviceLost:
    case ErrorCode::SystemRefused:
      return 500;
    case ErrorCode::NotReady:
    case ErrorCode::OutOfMemory:
    case ErrorCode::ShuttingDown:
    case ErrorCode::TooManyConnections:
      return 503;
    case ErrorCode::DeadlineExceeded:
      return 504;
  }
  return 500;
}

HttpReply error_reply(const Error& error, const std::string& request_id, int retry_after_s) {
  return error_reply(status_of(error.code()), error, request_id, retry_after_s);
}

HttpReply error_reply(int status, const Error& error, const std::string& request_id,
                      int retry_after_s) {
  const bool is_ours = is_internal(error.code());
  nlohmann::json body;
  auto& fields = body["error"];
  fields["message"] =
      is_ours ? "the service failed; its log has the reason under this request id" : error.what();
  fields["type"] = type_of(status);
  fields["param"] = error.param().empty() ? nlohmann::json() : nlohmann::json(error.param());
  fields["code"] = name_of(is_ours ? ErrorCode::InternalError : error.code());
  fields["request_id"] = request_id;

  HttpReply reply;
  reply.status = status;
  reply.body = body.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  if (status == 401) reply.headers.emplace_back("WWW-Authenticate", "Bearer");
  if (status == 429 || status == 503) {
    reply.headers.emplace_back("Retry-After", std::to_string(std::max(1, retry_after_s)));
  }
  return reply;
}

}  // namespace ssd1b
