#include "service/http/cors.h"

#include <algorithm>

namespace ssd1b {
bool Cors::is_preflight(const RequestHead& head) const {
  return !origins_.empty() && head.method == "OPTIONS" &&
         find_field(head.fields, "origin") != nullptr &&
         find_field(head.fields, "access-control-request-method") != nullptr;
}

Fields Cors::headers_for(const Fields& request) const {
  if (origins_.empty()) return {};
  Fields headers = {{"Vary", "Origin"}};  // also where the origin is not allowed: caches must know
  const std::string* origin = find_field(request, "origin");
  if (origin != nullptr && std::find(origins_.begin(), origins_.end(), *origin) != origins_.end()) {
    headers.emplace_back("Access-Control-Allow-Origin", *origin);
    headers.emplace_back("Access-Control-Expose-Headers",
                         "X-Request-Id, X-Seed, X-Model, X-Prompt-Tokens, X-Warning, "
                         "Server-Timing, Retry-After, Location");
  }
  return headers;
}

Fields Cors::preflight_headers_for(const Fields& request, const std::string& allowed) const {
  Fields headers = headers_for(request);
  if (find_field(headers, "access-control-allow-origin") == nullptr) return headers;
  headers.emplace_back("Access-Control-Allow-Methods", allowed);
  // Any header: clients add ones of their own, as OpenAI's X-Stainless-Os. The star means so
  // because no reply ever allows credentials; it leaves out Authorization.
  headers.emplace_back("Access-Control-Allow-Headers", "*, Authorization");
  headers.emplace_back("Access-Control-Max-Age", "600");
  return headers;
}

}  // namespace ssd1b
