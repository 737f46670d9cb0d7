#pragma once

#include <memory>
#include <vector>

#include "service/dialects/image_request.h"
#include "service/dialects/json_text.h"
#include "service/routes/running_requests.h"

namespace ssd1b {

/// What is in force, under the names of Automatic1111's settings: those few that mean something
/// here.
Json options_document(const RequestRules& rules);

/// [{"title", "model_name", ...}]: names only, no paths.
Json sd_models_document(const RequestRules& rules);

/// The one upscaler that changes nothing: [{"name": "None", ...}].
Json upscalers_document();

/// {"ram", "cuda"} in bytes, of this process and its machine.
Json memory_document();

/// How far these requests are together: {"progress", "eta_relative", "state", ...}; 0 and no jobs
/// where there is none.
Json progress_document(const std::vector<std::shared_ptr<RunningRequest>>& requests,
                       const Dispatcher& dispatcher);

}  // namespace ssd1b
