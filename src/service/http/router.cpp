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

/// As Allow has them: each once, and HEAD where there is GET.
std::string listed(std::vector<std::string> methods) {
  if (std::find(methods.begin(), methods.end(), "GET") != methods.end()) {
    methods.emplace_back("HEAD");
  }
  std::sort(methods.begin(), methods.end());
  methods.erase(std::unique(methods.begin(), methods.end()), methods.end());
  std::string text;
  for (const std::string& each : methods) text += (text.empty() ? "" : ", ") + each;
  return text;
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
  }
  match.allowed = listed(std::move(allowed));
  return match;
}

std::string Router::methods() const {
  std::vector<std::string> methods = {"OPTIONS"};
  for (const Route& route : routes_) methods.push_back(route.method);
  return listed(std::move(methods));
}

}  // namespace ssd1b
