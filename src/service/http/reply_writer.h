#pragma once

#include <cstddef>
#include <functional>
#include <string>

#include "service/http/gate/head_gate.h"
#include "service/http/http.h"

namespace ssd1b {

/// Sends bytes; how many. Fewer than given: the client does not take any more.
using ByteSink = std::function<std::size_t(const char* data, std::size_t size)>;

/// What a reply gets beside what its handler says.
struct ReplyFrame {
  bool keeps_connection = false;
  Fields headers;  // where the handler's reply has none of that name
};

/// What was sent.
struct SentReply {
  int status = 0;
  std::size_t bytes = 0;  // head and framing included
  bool is_whole = false;  // the client got all of it, the end of a stream included
  bool keeps_connection = false;
  std::string fault;  // that broke a stream off
};

/// Has httplib read the request's head, whose framing the gate and the edge have dealt with, and
/// write the reply of `handle`, streamed ones in chunks (HTTP/1.0: up to the close).
/// `frame` is asked when the reply is ready.
SentReply answer(const RequestHead& head, const std::function<HttpReply()>& handle,
                 const std::function<ReplyFrame()>& frame, const ByteSink& sink);

/// The reply to a request that was refused before it was whole, which always closes, as bytes.
/// `method` as far as it was read.
std::string render_refusal(const HttpReply& reply, const ReplyFrame& frame,
                           const std::string& method = "");

}  // namespace ssd1b
