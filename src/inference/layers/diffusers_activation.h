#pragma once

#include <optional>
#include <string>

#include "inference/layers/activation.h"
#include "inference/weights/config_document.h"

namespace ssd1b {

/// The activation that a config of diffusers names, in letters of either case; nullopt where it
/// names none. Throws Error(BadModel) for a name that diffusers has not.
std::optional<Activation> diffusers_activation(const ConfigDocument& document,
                                               const std::string& key);

}  // namespace ssd1b
