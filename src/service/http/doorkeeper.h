#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "service/http/cors.h"
#include "service/http/gate/head_gate.h"
#include "service/http/http.h"
#include "service/http/keys/api_keys.h"
#include "service/http/router.h"

namespace ssd1b {

/// What the head alone decides, before a byte of the body is read.
struct Entry {
  std::optional<HttpReply> reply;  // the answer, where no handler is to see the request
  const Route* route = nullptr;
  std::vector<std::string> path_parameters;
  KeyLease lease;
};

/// Who may come in at one listener: preflights, keys, routes, in this order. Thread-safe.
class Doorkeeper {
 public:
  /// `keys` is empty where no key is asked for.
  Doorkeeper(Router router, std::shared_ptr<ApiKeys> keys, Cors cors);

  Entry judge(const RequestHead& head, const std::string& address,
              const std::string& request_id) const;

  /// Cross-origin headers for any reply to a request of these fields.
  Fields cross_origin_headers(const Fields& request) const { return cors_.headers_for(request); }

 private:
  const Router router_;
  const std::shared_ptr<ApiKeys> keys_;
  const Cors cors_;
};

}  // namespace ssd1b
