#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "service/http/http.h"

namespace ssd1b {

/// What the routes say of a path and a method.
struct RouteMatch {
  const Route* route = nullptr;  // nothing: 404, or 405 where `allowed` is not empty
  std::vector<std::string> path_parameters;
  std::string allowed;  // the methods of the path, as the Allow header has them
};

/// The routes of one listener. Thread-safe: it never changes.
class Router {
 public:
  /// Throws Error(InternalError) for a pattern that is none.
  explicit Router(std::vector<Route> routes);

  /// `path` is decoded. HEAD takes the route of GET. The first pattern that fits wins.
  RouteMatch match(std::string_view method, std::string_view path) const;

  /// All methods that one of the paths takes, as the Allow header has them.
  std::string methods() const;

 private:
  std::vector<Route> routes_;
};

}  // namespace ssd1b
