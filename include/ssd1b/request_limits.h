#pragma once

#include <cstddef>

namespace ssd1b {

// What holds of every request, whatever the model: check_request, the flags, the dialects, the
// documents and generation_config.json all say it with these.
constexpr std::size_t kMaxPromptBytes = 4096;
constexpr int kMinSidePx = 64;
constexpr int kMaxSidePx = 2048;
constexpr int kMaxSteps = 150;
constexpr double kMaxGuidanceScale = 50.0;
constexpr int kMaxConditioningPx = 8192;
constexpr int kMaxPreviews = 3;

}  // namespace ssd1b
