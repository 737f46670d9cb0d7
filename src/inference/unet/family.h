#pragma once

#include <string>

#include "inference/unet/unet_config.h"

namespace ssd1b {

/// What people call models of this shape: ssd-1b, sdxl, vega, or sdxl-like. Read off the depths,
/// only to be shown: nothing is decided by it.
std::string family_of(const UNetConfig& config);

}  // namespace ssd1b
