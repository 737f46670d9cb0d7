#pragma once

#include <vector>

#include "service/dialects/json_text.h"
#include "ssd1b/generation.h"

namespace ssd1b {

/// {"queue", "text_encoder", "denoise", "vae", "encode"} in milliseconds.
Json timings_json(const StageTimings& timings);

/// [{"code", "message"}].
Json warnings_json(const std::vector<Warning>& warnings);

}  // namespace ssd1b
