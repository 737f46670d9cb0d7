#pragma once

#include <string>

#include "service/dialects/image_request.h"

namespace ssd1b {

/// Throws Error(ModelNotFound), listing those that there are, where no model of ours has this name.
/// `param` is the field that holds it; empty where the path does.
void check_model_name(const std::string& name, const std::string& param, const RequestRules& rules);

}  // namespace ssd1b
