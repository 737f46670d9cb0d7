#pragma once

#include <string>

namespace ssd1b {

/// Whether a running server answers 200 at `url`, as http://127.0.0.1:5000/healthz; without a path
/// /healthz is asked. Blocks for at most a few seconds. Throws Error(Usage) for what is no http
/// URL.
bool healthcheck(const std::string& url);

}  // namespace ssd1b
