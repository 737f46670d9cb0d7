#pragma once

#include <string>
#include <utility>
#include <vector>

#include "service/http/gate/head_gate.h"

namespace ssd1b {

/// Which pages of other origins may call the service (--cors-origin). Thread-safe: never changes.
class Cors {
 public:
  /// `origins` as browsers write them: others match nothing.
  explicit Cors(std::vector<std::string> origins) : origins_(std::move(origins)) {}

  /// A browser asks whether it may send a request; no key comes with it.
  bool is_preflight(const RequestHead& head) const;

  /// What a reply to a request of these fields says of it: nothing where no origin is configured.
  Fields headers_for(const Fields& request) const;

  /// The same for a preflight of a path that has the `allowed` methods.
  Fields preflight_headers_for(const Fields& request, const std::string& allowed) const;

 private:
  std::vector<std::string> origins_;
};

}  // namespace ssd1b
