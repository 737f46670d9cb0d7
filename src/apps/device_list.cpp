#include "apps/device_list.h"

#include <nlohmann/json.hpp>

namespace ssd1b {

std::string device_list_json(const std::vector<DeviceInfo>& devices) {
  using Json = nlohmann::ordered_json;
  Json list = Json::array();
  for (const DeviceInfo& device : devices) {
    list.push_back({{"name", device.name},
                    {"description", device.description},
                    {"memory_bytes", device.memory_bytes},
                    {"usable", device.usable},
                    {"why_not", device.usable ? Json() : Json(device.why_not)}});
  }
  return list.dump(/*indent=*/2, ' ', /*ensure_ascii=*/false, Json::error_handler_t::replace);
}

}  // namespace ssd1b
