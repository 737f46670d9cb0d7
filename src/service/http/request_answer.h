#pragma once

#include <functional>
#include <string>

#include "service/http/connection.h"
#include "service/http/doorkeeper.h"
#include "service/http/http.h"
#include "service/http/http_server.h"
#include "service/http/reply_writer.h"

namespace ssd1b {

/// Answers whole requests and renders refusals; logs and counts every reply. Thread-safe.
class RequestAnswerer {
 public:
  using ReplyListener = std::function<void(const ReplyRecord&)>;

  RequestAnswerer(const Doorkeeper& doorkeeper, const EdgeDeadlines& deadlines,
                  ReplyListener on_reply);

  const Doorkeeper& doorkeeper() const { return doorkeeper_; }

  /// Runs the handler and sends its reply. Blocks for as long as both take. Whether the connection
  /// can take another request. `may_keep` is asked when the reply is ready.
  bool answer(Connection& connection, const std::function<bool()>& may_keep) const;

  /// The bytes of a reply that ends the connection before the request was whole.
  std::string refusal(const Connection& connection, const HttpReply& reply) const;

  /// The bytes of the 503 for a connection beyond the limit.
  std::string too_many_connections() const;

 private:
  HttpReply run_handler(Connection& connection) const;
  ReplyFrame frame_of(const Connection& connection, bool keeps_connection) const;
  void record(const Connection& connection, int status, std::size_t bytes, bool is_whole) const;

  const Doorkeeper& doorkeeper_;
  const EdgeDeadlines deadlines_;
  const ReplyListener on_reply_;
};

}  // namespace ssd1b
