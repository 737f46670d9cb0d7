#pragma once

#include <string>
#include <vector>

#include "ssd1b/pipeline.h"

namespace ssd1b {

/// The devices as a JSON array of {name, description, memory_bytes, usable, why_not}; why_not is
/// null where the device is usable.
std::string device_list_json(const std::vector<DeviceInfo>& devices);

}  // namespace ssd1b
