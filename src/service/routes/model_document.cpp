#include "service/routes/model_document.h"

#include <limits>

#include "service/dialects/picture_fields.h"
#include "ssd1b/request_limits.h"

namespace ssd1b {
namespace {

template <typename Number>
Json range(Number minimum, Number maximum) {
  return {{"minimum", minimum}, {"maximum", maximum}};
}

Json side_limits(const ModelInfo& model) {
  Json limits = range(kMinSidePx, kMaxSidePx);
  limits["multiple_of"] = model.vae_scale_factor;
  return limits;
}

Json steps_limits(const ModelInfo& model) {
  Json limits = range(1, kMaxSteps);
  Json per_scheduler = Json::object();
  for (const SchedulerInfo& each : model.schedulers) {
    if (each.min_steps > 1 || each.max_steps < kMaxSteps) {
      per_scheduler[each.name] = range(each.min_steps, each.max_steps);
    }
  }
  if (!per_scheduler.empty()) limits["per_scheduler"] = per_scheduler;
  return limits;
}

}  // namespace

Json limits_document(const ModelInfo& model, const RequestRules& rules) {
  Json limits = {{"prompt", {{"minimum_bytes", 1}, {"maximum_bytes", kMaxPromptBytes}}},
                 {"negative_prompt", {{"minimum_bytes", 0}, {"maximum_bytes", kMaxPromptBytes}}},
                 {"width", side_limits(model)},
                 {"height", side_limits(model)},
                 {"pixels", {{"maximum", rules.max_pixels}}},
                 {"steps", steps_limits(model)},
                 {"guidance_scale", range(0.0, kMaxGuidanceScale)},
                 {"seed", range(std::uint64_t{0}, std::numeric_limits<std::uint64_t>::max())},
                 {"num_images", range(1, rules.max_images)},
                 {"quality", range(1, kMaxQuality)},
                 {"timeout_ms", range<std::int64_t>(1, rules.request_timeout.count())},
                 {"clip_skip", range(0, model.max_clip_skip)},
                 {"previews", range(0, kMaxPreviews)}};
  for (const char* field : {"original_width", "original_height", "target_width", "target_height",
                            "crop_top", "crop_left"}) {
    limits[field] = range(0, kMaxConditioningPx);
  }
  return limits;
}

Json defaults_document(const ModelInfo& model, const RequestRules& rules) {
  const GenerationRequest request = default_request(model);
  Json defaults = {{"negative_prompt", nullptr},
                   {"width", request.width_px},
                   {"height", request.height_px},
                   {"steps", request.steps},
                   {"guidance_scale", request.guidance_scale},
                   {"seed", nullptr},
                   {"scheduler", request.scheduler},
                   {"num_images", 1},
                   {"response_format", "image"},
                   {"output_format", "png"},
                   {"quality", kDefaultQuality},
                   {"timeout_ms", rules.request_timeout.count()},
                   {"original_width", request.width_px},
                   {"original_height", request.height_px},
                   {"target_width", request.width_px},
                   {"target_height", request.height_px},
                   {"crop_top", 0},
                   {"crop_left", 0},
                   {"clip_skip", 0},
                   {"embed_metadata", false},
                   {"previews", 0}};
  if (request.negative_prompt) defaults["negative_prompt"] = *request.negative_prompt;
  return defaults;
}

Json model_document(const std::string& name, std::int64_t created_at_s, const ModelInfo& model,
                    const RequestRules& rules) {
  Json schedulers = Json::array();
  for (const SchedulerInfo& each : model.schedulers) schedulers.push_back(each.name);
  return {{"id", name},
          {"object", "model"},
          {"created", created_at_s},
          {"owned_by", "ssd1b-server"},
          {"type", model.type},
          {"defaults", defaults_document(model, rules)},
          {"limits", limits_document(model, rules)},
          {"schedulers", schedulers},
          {"dtype", model.dtype},
          {"vae_dtype", model.vae_dtype},
          {"device", model.device}};
}

}  // namespace ssd1b
