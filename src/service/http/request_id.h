#pragma once

#include <string>
#include <string_view>

#include "service/http/gate/head_gate.h"

namespace ssd1b {

/// The client's X-Request-Id where it is one of [A-Za-z0-9._-]{1,64}, else a fresh one.
std::string request_id_of(const Fields& fields);

/// The W3C traceparent among the fields, which must outlive it; empty where there is none or it is
/// malformed.
std::string_view traceparent_of(const Fields& fields);

}  // namespace ssd1b
