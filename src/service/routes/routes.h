#pragma once

#include <memory>
#include <vector>

#include "service/http/http.h"
#include "service/routes/service.h"

namespace ssd1b {

/// Every route of the service. The handlers keep `service` alive.
std::vector<Route> all_routes(std::shared_ptr<const Service> service);

}  // namespace ssd1b
