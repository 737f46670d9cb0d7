#pragma once

#include "service/http/http.h"

namespace ssd1b {

/// Throws Error(UnsupportedMediaType), showing the header to send, unless the request announces
/// JSON.
void require_json(const HttpRequest& http);

}  // namespace ssd1b
