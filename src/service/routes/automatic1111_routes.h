#pragma once

#include <memory>
#include <vector>

#include "service/http/http.h"
#include "service/routes/service.h"

namespace ssd1b {

/// The routes of Automatic1111's web UI, /sdapi/v1/...
std::vector<Route> automatic1111_routes(const std::shared_ptr<const Service>& service);

}  // namespace ssd1b
