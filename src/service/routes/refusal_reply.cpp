#include "service/routes/refusal_reply.h"

#include <algorithm>
#include <utility>

#include "service/admission/refusal.h"

namespace ssd1b {

HttpHandler with_refusals(HttpHandler handler) {
  return [handler = std::move(handler)](const HttpRequest& http) {
    try {
      return handler(http);
    } catch (const Refusal& refusal) {
      return error_reply(refusal, http.request_id, std::max(1, refusal.retry_after_s()));
    }
  };
}

}  // namespace ssd1b
