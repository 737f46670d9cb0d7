#pragma once

#include <string>

#include "ssd1b/generation.h"

namespace ssd1b {

/// The text that `embed_metadata` puts into a file: all that makes the picture again, as JSON with
/// the names of the native request's fields, and the model's name.
std::string picture_settings(const GenerationRequest& request, const std::string& model);

}  // namespace ssd1b
