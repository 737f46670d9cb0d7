#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "service/http/gate/head_gate.h"
#include "ssd1b/error.h"

namespace ssd1b {

/// A request that has passed the gate, without a word of the library that read it. Handlers see
/// nothing else.
struct HttpRequest {
  Fields headers;
  std::string body;
  std::string request_id;  // the client's own where it is well-formed, else a fresh one
  std::string client;      // the name of the API key; empty where no key is asked for
  /// Of the key's concurrency, where the route makes pictures. It is free again with the reply, or
  /// later where the handler leaves it to work that goes on.
  std::shared_ptr<void> key_place;
  std::vector<std::string> path_parameters;  // what the route's {...} matched, in order
  std::chrono::steady_clock::time_point arrived_at;
  /// Whether the client has closed its sending side or the connection. Cheap: may be asked every
  /// few milliseconds by the thread that handles the request.
  std::function<bool()> is_client_gone;

  /// The value of a header by its case-insensitive name; empty where there is none.
  std::string header(const std::string& name) const;
};

/// Writes a piece of a streamed reply; false once the client is gone.
using StreamWriter = std::function<bool(const std::string& piece)>;

struct HttpReply {
  int status = 200;
  std::string content_type = "application/json";
  Fields headers;  // besides the server's own fixed ones
  std::string body;
  /// Set for server-sent events: called once, on the request's thread, instead of sending
  /// `body`; the reply ends when it returns.
  std::function<void(const StreamWriter& write)> stream;
};

/// Answers one request on a thread of its own. An Error that it throws becomes error_reply.
using HttpHandler = std::function<HttpReply(const HttpRequest& request)>;

struct Route {
  std::string method;   // GET (HEAD is answered as GET without the body), POST, DELETE
  std::string pattern;  // /v1/jobs/{id}; {name...} at the end may hold slashes
  HttpHandler handler;
  bool needs_key = true;       // where keys are configured
  bool is_management = false;  // health and metrics: answered by threads of their own
  /// Metrics: where there is a management port, only there. Health is on both.
  bool moves_to_management_port = false;
  bool makes_pictures = false;  // takes a place of its key's concurrency
};

/// The HTTP status of an error's code, as the README's table has it.
int status_of(ErrorCode code);

/// The reply to an error in OpenAI's shape: {"error": {message, type, param, code, request_id}},
/// with WWW-Authenticate for 401 and Retry-After for 429 and 503: `retry_after_s`, at least a
/// second. What the client is told of a fault of ours (500) is a fixed sentence.
HttpReply error_reply(const Error& error, const std::string& request_id, int retry_after_s = 1);

/// The same with a status that the code alone does not tell (417, 501, 505 are malformed_request).
HttpReply error_reply(int status, const Error& error, const std::string& request_id,
                      int retry_after_s = 1);

}  // namespace ssd1b
