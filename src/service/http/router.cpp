#include "service/http/router.h"

#include <algorithm>
#include <optional>
#include <utility>

namespace ssd1b {
namespace {

/// What the {...} of the pattern match, in order; nothing where the path does not fit. `{name}`
/// takes one segment, `{name...}` the rest; neither takes an empty one.
std::optional<std::vector<std::string>> fit(std::string_view pattern, std::string_view path) {
  std::vector<std::string> parameters;
  while (!pattern.empty()) {
    if (pattern.front() != '{') {
      if (path.empty() || path.front() != pattern.front()) return std::nullopt;
      pattern.remove_prefix(1);
      path.remove_prefix(1);
      continue;
    }
    const std::size_t close = pattern.find('}');
    const bool takes_rest = pattern.substr(0, close).find("...") != std::string_view::npos;
    const std::size_t end = takes_rest ? path.size() : std::min(path.find('/'), path.size());
    if (end == 0) return std::nullopt;
    parameters.emplace_back(path.substr(0, end));
    path.remove_prefix(end);
    pattern.remove_prefix(close + 1);
  }
  if (!path.empty()) return std::nullopt;
  return parameters;
}

void check(const Route& route) {
  int depth = 0;
  for (const char c : route.pattern) {
    if (c == '{') ++depth;
    if (c == '}') --depth;
    if (depth < 0 || depth > 1) break;
  }
  if (depth != 0 || route.pattern.empty() || route.pattern.front() != '/' || !route.handler) {
    throw Error(ErrorCode::InternalError,
                "the route \"" + route.method + " " + route.pattern +
                    "\" must have a handler and a path with closed {...}: this is a bug");
  }
}

}  // namespace

Router::Router(std::vector<Route> routes) : routes_(std::move(routes)) {
  for (const Route& route : routes_) check(route);
}

RouteMatch Router::match(std::string_view method, std::string_view path) const {
  const std::string_view wanted = method == "HEAD" ? "GET" : method;
  RouteMatch match;
  std::vector<std::string> allowed;
  for (const Route& route : routes_) {
    auto parameters = fit(route.pattern, path);
    if (!parameters) continue;
    if (route.method == wanted) {
      match.route = &route;
      match.path_parameters = std::move(*parameters);
      return match;
    }
    allowed.push_back(route.method);
    if (route.method == "GET") allowed.emplace_back("HEAD");
  }
  std::sort(allowed.begin(), allowed.end());
  allowed.erase(std::unique(allowed.begin(), allowed.end()), allowed.end());
  for (const std::string& each : allowed) {
    match.allowed += (match.allowed.empty() ? "" : ", ") + each;
  }
  return match;
}

}  // namespace ssd1b
