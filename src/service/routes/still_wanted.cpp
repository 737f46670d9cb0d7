#include "service/routes/still_wanted.h"

namespace ssd1b {

void check_client(const HttpRequest& http) {
  if (http.is_client_gone && http.is_client_gone()) {
    throw Error(ErrorCode::Cancelled, "the client went away");
  }
}

void check_still_wanted(const HttpRequest& http, std::chrono::milliseconds timeout) {
  check_client(http);
  if (std::chrono::steady_clock::now() < http.arrived_at + timeout) return;
  throw Error(ErrorCode::DeadlineExceeded,
              "the request was not answered within its timeout (timeout_ms)");
}

}  // namespace ssd1b
