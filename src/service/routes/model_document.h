#pragma once

#include <string>

#include "service/dialects/image_request.h"
#include "service/dialects/json_text.h"

namespace ssd1b {

/// One entry of /v1/models.
Json model_document(const std::string& name, std::int64_t created_at_s, const ModelInfo& model,
                    const RequestRules& rules);

/// What a field of /generate-image must hold, by its name: minimum, maximum, multiple_of,
/// per_scheduler, ...
Json limits_document(const ModelInfo& model, const RequestRules& rules);

/// What a field of /generate-image is where the request has none.
Json defaults_document(const ModelInfo& model, const RequestRules& rules);

}  // namespace ssd1b
