#include "service/http/doorkeeper.h"

#include <chrono>
#include <utility>
#include <variant>

namespace ssd1b {
namespace {

HttpReply no_route(const RequestHead& head, const RouteMatch& match,
                   const std::string& request_id) {
  if (match.allowed.empty()) {
    return error_reply(Error(ErrorCode::NotFound, "there is nothing at this path"), request_id);
  }
  HttpReply reply =
      error_reply(Error(ErrorCode::MethodNotAllowed,
                        "the method must be one of " + match.allowed + " here, got " + head.method),
                  request_id);
  reply.headers.emplace_back("Allow", match.allowed);
  return reply;
}

}  // namespace

Doorkeeper::Doorkeeper(Router router, std::shared_ptr<ApiKeys> keys, Cors cors)
    : router_(std::move(router)), keys_(std::move(keys)), cors_(std::move(cors)) {}

Entry Doorkeeper::judge(const RequestHead& head, const std::string& address,
                        const std::string& request_id) const {
  Entry entry;
  if (head.path == "*") {  // OPTIONS of the server as a whole (RFC 9110, 9.3.7)
    entry.reply.emplace();
    entry.reply->status = 204;
    entry.reply->headers.emplace_back("Allow", router_.methods());
    return entry;
  }
  RouteMatch match = router_.match(head.method, head.path);
  if (cors_.is_preflight(head) && !match.allowed.empty()) {
    entry.reply.emplace();
    entry.reply->status = 204;
    entry.reply->headers = cors_.preflight_headers_for(head.fields, match.allowed);
    return entry;
  }
  if (keys_ != nullptr && (match.route == nullptr || match.route->needs_key)) {
    const bool takes_place = match.route != nullptr && match.route->makes_pictures;
    auto verdict =
        keys_->admit(head.fields, address, std::chrono::steady_clock::now(), takes_place);
    if (const auto* refusal = std::get_if<KeyRefusal>(&verdict)) {
      entry.reply = error_reply(refusal->error, request_id, refusal->retry_after_s);
      return entry;
    }
    entry.lease = std::move(std::get<KeyLease>(verdict));
  }
  entry.route = match.route;
  entry.path_parameters = std::move(match.path_parameters);
  if (entry.route == nullptr) entry.reply = no_route(head, match, request_id);
  return entry;
}

}  // namespace ssd1b
