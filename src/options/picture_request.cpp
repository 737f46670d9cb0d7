#include "options/picture_request.h"

#include <algorithm>
#include <random>

#include "options/option_values.h"
#include "options/shipped_files.h"

namespace ssd1b {
namespace {

template <typename T>
void take_over(T& to, const std::optional<T>& from) {
  if (from) to = *from;
}

/// A scheduler's own name, or the one of its diffusers class.
std::string scheduler_name(const std::string& given, const ModelInfo& model) {
  for (const SchedulerInfo& each : model.schedulers) {
    if (each.name == given || each.class_name == given) return each.name;
  }
  return given;  // check_request refuses it with the list
}

/// --prompt for the field prompt, --clip-skip for clip_skip.
std::string flag_of(std::string field) {
  std::replace(field.begin(), field.end(), '_', '-');
  return "--" + field;
}

}  // namespace

GenerationRequest picture_request(const PictureOptions& picture, const ModelInfo& model) {
  GenerationRequest request = default_request(model);
  request.prompt = picture.prompt;
  if (picture.negative_prompt) request.negative_prompt = picture.negative_prompt;
  if (picture.has_no_negative_prompt) request.negative_prompt.reset();
  take_over(request.width_px, picture.width_px);
  take_over(request.height_px, picture.height_px);
  take_over(request.steps, picture.steps);
  take_over(request.guidance_scale, picture.guidance_scale);
  request.seed = picture.seed ? *picture.seed : std::random_device{}();
  if (picture.scheduler) request.scheduler = scheduler_name(*picture.scheduler, model);
  request.original_width_px = picture.original_width_px.value_or(request.width_px);
  request.original_height_px = picture.original_height_px.value_or(request.height_px);
  request.target_width_px = picture.target_width_px.value_or(request.width_px);
  request.target_height_px = picture.target_height_px.value_or(request.height_px);
  take_over(request.crop_top_px, picture.crop_top_px);
  take_over(request.crop_left_px, picture.crop_left_px);
  take_over(request.clip_skip, picture.clip_skip);
  try {
    check_request(request, model);
  } catch (const Error& error) {
    // Messages begin with the field's name.
    const std::string& field = error.param();
    throw Error(ErrorCode::Usage, flag_of(field) + std::string(error.what()).substr(field.size()),
                field);
  }
  return request;
}

ModelOptions model_options(const PipelineOptions& pipeline, const std::string& device) {
  ModelOptions options;
  options.model = pipeline.model;
  options.variant = pipeline.variant;
  options.device = device;
  options.dtype = pipeline.dtype;
  options.vae_dtype = pipeline.vae_dtype;
  options.threads = pipeline.threads;
  options.max_batch = pipeline.max_batch;
  options.batch_invariant = pipeline.batch_invariant;
  options.device_memory_limit_bytes = pipeline.device_memory_limit_bytes;
  options.shipped_models = shipped_models_folder();
  for (const std::string& lora : pipeline.loras) {
    const std::size_t colon = lora.rfind(':');
    LoraOption option;
    option.file = lora.substr(0, colon);
    if (colon != std::string::npos) option.scale = number_of(lora.substr(colon + 1)).value();
    options.loras.push_back(option);
  }
  return options;
}

std::string one_device(const std::string& wanted, const std::vector<DeviceInfo>& devices) {
  if (wanted != "auto" && wanted != "cuda") return wanted;
  for (const DeviceInfo& device : devices) {
    if (device.name != "cpu" && device.usable) return device.name;
  }
  return wanted == "auto" ? "cpu" : "cuda:0";
}

}  // namespace ssd1b
