#include "ssd1b/generation.h"

#include <algorithm>

#include "ssd1b/engine.h"
#include "ssd1b/request_limits.h"

namespace ssd1b {
namespace {

std::string range_text(int low, int high, std::int64_t got) {
  return "between " + std::to_string(low) + " and " + std::to_string(high) + ", got " +
         std::to_string(got);
}

void check_side(const char* field, int side_px, int factor) {
  if (side_px < kMinSidePx || side_px > kMaxSidePx || side_px % factor != 0) {
    throw Error(ErrorCode::InvalidValue,
                std::string(field) + " must be a multiple of " + std::to_string(factor) + " " +
                    range_text(kMinSidePx, kMaxSidePx, side_px),
                field);
  }
}

void check_range(const char* field, int value, int low, int high) {
  if (value < low || value > high) {
    throw Error(ErrorCode::InvalidValue,
                std::string(field) + " must be " + range_text(low, high, value), field);
  }
}

const SchedulerInfo& scheduler_info(const std::string& name, const ModelInfo& model) {
  const auto found = std::find_if(model.schedulers.begin(), model.schedulers.end(),
                                  [&](const SchedulerInfo& each) { return each.name == name; });
  if (found == model.schedulers.end()) {
    std::string names;
    for (const SchedulerInfo& each : model.schedulers) {
      names += (names.empty() ? "" : ", ") + each.name;
    }
    throw Error(ErrorCode::InvalidValue, "scheduler must be one of " + names + ", got " + name,
                "scheduler");
  }
  return *found;
}

int unet_calls_of(const SchedulerInfo& scheduler, int steps) {
  if (scheduler.unet_calls.empty()) return steps;
  return scheduler.unet_calls.at(static_cast<std::size_t>(steps - scheduler.min_steps));
}

}  // namespace

GenerationRequest default_request(const ModelInfo& model) {
  GenerationRequest request;
  request.negative_prompt = model.negative_prompt;
  request.width_px = model.width_px;
  request.height_px = model.height_px;
  request.steps = model.steps;
  request.guidance_scale = model.guidance_scale;
  request.scheduler = model.scheduler;
  request.original_width_px = request.target_width_px = model.width_px;
  request.original_height_px = request.target_height_px = model.height_px;
  return request;
}

void check_request(const GenerationRequest& request, const ModelInfo& model) {
  if (request.prompt.empty()) {
    throw Error(ErrorCode::InvalidValue, "prompt must hold 1 to 4096 bytes, got none", "prompt");
  }
  check_side("width", request.width_px, model.vae_scale_factor);
  check_side("height", request.height_px, model.vae_scale_factor);
  const SchedulerInfo& scheduler = scheduler_info(request.scheduler, model);
  if (request.steps < scheduler.min_steps || request.steps > scheduler.max_steps) {
    throw Error(ErrorCode::InvalidValue,
                "steps must be " +
                    range_text(scheduler.min_steps, scheduler.max_steps, request.steps) +
                    " (scheduler " + scheduler.name + ")",
                "steps");
  }
  if (!(request.guidance_scale >= 0.0 && request.guidance_scale <= kMaxGuidanceScale)) {
    throw Error(
        ErrorCode::InvalidValue,
        "guidance_scale must be between 0 and 50, got " + std::to_string(request.guidance_scale),
        "guidance_scale");
  }
  check_range("original_width", request.original_width_px, 0, kMaxConditioningPx);
  check_range("original_height", request.original_height_px, 0, kMaxConditioningPx);
  check_range("target_width", request.target_width_px, 0, kMaxConditioningPx);
  check_range("target_height", request.target_height_px, 0, kMaxConditioningPx);
  check_range("crop_top", request.crop_top_px, 0, kMaxConditioningPx);
  check_range("crop_left", request.crop_left_px, 0, kMaxConditioningPx);
  check_range("clip_skip", request.clip_skip, 0, model.max_clip_skip);
  check_range("previews", request.previews, 0, kMaxPreviews);
}

bool is_guided(const GenerationRequest& request, const ModelInfo& model) {
  return request.guidance_scale > 1.0 && !model.guidance_embedded;
}

Work work_of(const GenerationRequest& request, const ModelInfo& model) {
  Work work;
  work.unet_calls = unet_calls_of(scheduler_info(request.scheduler, model), request.steps);
  work.rows = is_guided(request, model) ? 2 : 1;
  work.decodes = 1 + std::min(request.previews, request.steps - 1);
  work.latent_pixels = static_cast<std::int64_t>(request.width_px / model.vae_scale_factor) *
                       (request.height_px / model.vae_scale_factor);
  return work;
}

}  // namespace ssd1b
