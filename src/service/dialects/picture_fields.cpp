#include "service/dialects/picture_fields.h"

#include <algorithm>
#include <limits>
#include <random>

#include "ssd1b/request_limits.h"

namespace ssd1b {
namespace {

/// By its name or its diffusers class. Several schedulers share a class; the plain one, which has
/// the shortest name, is what `Class.from_config` gives.
const SchedulerInfo& find_scheduler(const FieldReader& fields, const std::string& default_name,
                                    const ModelInfo& model) {
  const std::string wanted = fields.text("scheduler").value_or(default_name);
  const SchedulerInfo* found = nullptr;
  std::string names;
  for (const SchedulerInfo& each : model.schedulers) {
    if (each.name == wanted) return each;
    if (each.class_name == wanted && (!found || each.name.size() < found->name.size())) {
      found = &each;
    }
    names += (names.empty() ? "" : ", ") + each.name;
  }
  if (found) return *found;
  throw fields.invalid("scheduler", "one of " + names);
}

int read_side(const FieldReader& fields, const std::string& field, int default_px,
              const ModelInfo& model) {
  const auto side = fields.integer(field, kMinSidePx, kMaxSidePx);
  if (side && *side % model.vae_scale_factor != 0) {
    throw fields.invalid(field, "a multiple of " + std::to_string(model.vae_scale_factor) +
                                    " between " + std::to_string(kMinSidePx) + " and " +
                                    std::to_string(kMaxSidePx));
  }
  return static_cast<int>(side.value_or(default_px));
}

int read_steps(const FieldReader& fields, int default_steps, const SchedulerInfo& scheduler) {
  if (!fields.has("steps")) {
    // The model's default may be more, or less, than a scheduler can make: that is no fault of a
    // request that names none, and refusing it would make the scheduler unusable without `steps`.
    return std::clamp(default_steps, scheduler.min_steps, scheduler.max_steps);
  }
  const auto steps = fields.integer("steps", 1, kMaxSteps);
  if (*steps < scheduler.min_steps || *steps > scheduler.max_steps) {
    throw fields.invalid("steps", "an integer between " + std::to_string(scheduler.min_steps) +
                                      " and " + std::to_string(scheduler.max_steps) +
                                      " for scheduler " + scheduler.name);
  }
  return static_cast<int>(*steps);
}

std::optional<std::string> read_negative_prompt(const FieldReader& fields,
                                                const GenerationRequest& defaults) {
  if (fields.is_null("negative_prompt")) return std::nullopt;
  if (!fields.has("negative_prompt")) return defaults.negative_prompt;
  return fields.prompt("negative_prompt", /*may_be_empty=*/true);
}

int read_conditioning(const FieldReader& fields, const std::string& field, int default_px) {
  return static_cast<int>(fields.integer(field, 0, kMaxConditioningPx).value_or(default_px));
}

GenerationRequest read_picture(const FieldReader& fields, const GenerationRequest& defaults,
                               const ModelInfo& model, const RequestRules& rules) {
  GenerationRequest picture = defaults;
  const std::optional<std::string> prompt = fields.prompt("prompt", /*may_be_empty=*/false);
  if (!prompt) {
    throw Error(ErrorCode::MissingField, fields.name("prompt") + " must be given",
                fields.name("prompt"));
  }
  picture.prompt = *prompt;
  picture.negative_prompt = read_negative_prompt(fields, defaults);
  picture.width_px = read_side(fields, "width", defaults.width_px, model);
  picture.height_px = read_side(fields, "height", defaults.height_px, model);
  const std::string side = fields.has("width") ? "width" : "height";
  check_pixels(picture.width_px, picture.height_px, fields.has(side) ? fields.name(side) : "",
               rules);
  const SchedulerInfo& scheduler = find_scheduler(fields, defaults.scheduler, model);
  picture.scheduler = scheduler.name;
  picture.steps = read_steps(fields, defaults.steps, scheduler);
  picture.guidance_scale =
      fields.number("guidance_scale", 0, kMaxGuidanceScale).value_or(defaults.guidance_scale);
  picture.original_width_px = read_conditioning(fields, "original_width", picture.width_px);
  picture.original_height_px = read_conditioning(fields, "original_height", picture.height_px);
  picture.target_width_px = read_conditioning(fields, "target_width", picture.width_px);
  picture.target_height_px = read_conditioning(fields, "target_height", picture.height_px);
  picture.crop_top_px = read_conditioning(fields, "crop_top", 0);
  picture.crop_left_px = read_conditioning(fields, "crop_left", 0);
  picture.clip_skip =
      static_cast<int>(fields.integer("clip_skip", 0, model.max_clip_skip).value_or(0));
  check_request(picture, model);
  return picture;
}

std::uint64_t random_seed() {
  std::random_device device;
  return std::uniform_int_distribution<std::uint64_t>(0, UINT32_MAX)(device);
}

/// The seed of the first of `count` pictures.
std::uint64_t read_seed(const FieldReader& fields, std::uint64_t count) {
  const std::optional<std::uint64_t> seed = fields.seed("seed");
  if (!seed) return random_seed();
  if (*seed > std::numeric_limits<std::uint64_t>::max() - (count - 1)) {
    throw fields.invalid("seed", "at most 18446744073709551615 for the last of " +
                                     std::to_string(count) + " pictures (seed + i)");
  }
  return *seed;
}

}  // namespace

ImageRequest read_pictures(const FieldReader& fields, const GenerationRequest& defaults,
                           const ModelInfo& model, const RequestRules& rules) {
  ImageRequest request;
  GenerationRequest picture = read_picture(fields, defaults, model, rules);
  const auto count =
      static_cast<std::uint64_t>(fields.integer("num_images", 1, rules.max_images).value_or(1));
  if (fields.has("num_images")) request.count_field = fields.name("num_images");
  const std::uint64_t seed = read_seed(fields, count);
  for (std::uint64_t i = 0; i < count; ++i) {
    picture.seed = seed + i;
    request.pictures.push_back(picture);
  }
  const bool has_negative_prompt =
      fields.has("negative_prompt") && picture.negative_prompt && !picture.negative_prompt->empty();
  if (has_negative_prompt && !is_guided(picture, model)) {
    request.warnings.push_back(
        {"negative_prompt_unused", fields.name("negative_prompt") +
                                       " has no effect without guidance (guidance_scale above 1)"});
  }
  request.timeout = rules.request_timeout;
  return request;
}

std::optional<ImageFormat> read_output_format(const FieldReader& fields) {
  const auto name = fields.choice("output_format", {"png", "jpeg", "webp"});
  return name ? image_format_named(*name) : std::nullopt;
}

void check_pixels(int width_px, int height_px, const std::string& field,
                  const RequestRules& rules) {
  const std::int64_t pixels = std::int64_t{width_px} * height_px;
  if (pixels > rules.max_pixels) {
    throw Error(ErrorCode::InvalidValue,
                "width times height must be at most " + std::to_string(rules.max_pixels) +
                    " pixels, got " + std::to_string(width_px) + " x " + std::to_string(height_px) +
                    " = " + std::to_string(pixels),
                field);
  }
}

}  // namespace ssd1b
