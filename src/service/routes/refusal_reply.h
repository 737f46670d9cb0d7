#pragma once

#include "service/http/http.h"

namespace ssd1b {

/// The same handler, but a Refusal that it throws becomes a reply that says when to come back: the
/// edge knows errors, not seconds.
HttpHandler with_refusals(HttpHandler handler);

}  // namespace ssd1b
