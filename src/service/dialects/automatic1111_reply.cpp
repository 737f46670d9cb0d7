#include <ctime>

#include "service/dialects/automatic1111.h"
#include "service/dialects/sampler_names.h"
#include "service/dialects/write_json.h"
#include "service/image_files/base64.h"

namespace ssd1b {
namespace {

constexpr int kNoSubseed = -1;
constexpr int kSkippedByNone = 2;  // their clip skip of our 0, see read_settings

/// The settings line under a picture of Automatic1111's, with the prompts above it.
std::string infotext(const GenerationRequest& picture, const PictureReply& reply) {
  const SamplerLabel label = label_of(picture.scheduler);
  const std::string negative = picture.negative_prompt.value_or("");
  std::string text = picture.prompt + "\n";
  if (!negative.empty()) text += "Negative prompt: " + negative + "\n";
  text += "Steps: " + std::to_string(picture.steps) + ", Sampler: " + label.sampler +
          ", Schedule type: " + label.scheduler +
          ", CFG scale: " + Json(picture.guidance_scale).dump() +
          ", Seed: " + std::to_string(picture.seed) +
          ", Size: " + std::to_string(picture.width_px) + "x" + std::to_string(picture.height_px) +
          ", Model: " + reply.model;
  if (picture.clip_skip > 0) {
    text += ", Clip skip: " + std::to_string(picture.clip_skip + kSkippedByNone);
  }
  return text;
}

/// What the fields of a request and the info of its reply have in common.
Json settings_json(const ImageRequest& request) {
  const GenerationRequest& picture = request.pictures.front();
  return {{"prompt", picture.prompt},
          {"negative_prompt", picture.negative_prompt.value_or("")},
          {"seed", picture.seed},
          {"subseed", kNoSubseed},
          {"subseed_strength", 0},
          {"seed_resize_from_w", 0},
          {"seed_resize_from_h", 0},
          {"width", picture.width_px},
          {"height", picture.height_px},
          {"sampler_name", label_of(picture.scheduler).sampler},
          {"cfg_scale", picture.guidance_scale},
          {"steps", picture.steps},
          {"batch_size", request.batch_size},
          {"restore_faces", false},
          {"denoising_strength", nullptr},
          {"styles", Json::array()}};
}

Json parameters_json(const ImageRequest& request) {
  const auto pictures = static_cast<int>(request.pictures.size());
  Json parameters = settings_json(request);
  parameters["scheduler"] = label_of(request.pictures.front().scheduler).scheduler;
  parameters["n_iter"] = (pictures + request.batch_size - 1) / request.batch_size;
  parameters["enable_hr"] = false;
  parameters["tiling"] = false;
  parameters["send_images"] = request.sends_images;
  parameters["save_images"] = false;
  parameters["alwayson_scripts"] = Json::object();
  parameters["override_settings"] = Json::object();
  return parameters;
}

Json info_json(const ImageRequest& request, const PictureReply& reply) {
  const GenerationRequest& first = request.pictures.front();
  const std::size_t count = reply.files.size();
  Json seeds = Json::array();
  Json texts = Json::array();
  for (const PictureFile& file : reply.files) {
    GenerationRequest picture = first;
    picture.seed = file.seed;
    seeds.push_back(file.seed);
    texts.push_back(infotext(picture, reply));
  }
  Json info = settings_json(request);
  info["all_prompts"] = Json::array_t(count, first.prompt);
  info["all_negative_prompts"] = Json::array_t(count, first.negative_prompt.value_or(""));
  info["all_seeds"] = seeds;
  info["all_subseeds"] = Json::array_t(count, kNoSubseed);
  info["infotexts"] = texts;
  info["sd_model_name"] = reply.model;
  info["sd_model_hash"] = nullptr;
  info["sd_vae_name"] = nullptr;
  info["sd_vae_hash"] = nullptr;
  info["face_restoration_model"] = nullptr;
  info["extra_generation_params"] = {{"Schedule type", label_of(first.scheduler).scheduler}};
  info["index_of_first_image"] = 0;
  info["job_timestamp"] = job_timestamp(reply.created_at_s);
  info["clip_skip"] = first.clip_skip + kSkippedByNone;
  info["is_using_inpainting_conditioning"] = false;
  return info;
}

}  // namespace

std::string job_timestamp(std::int64_t seconds_since_1970) {
  const std::time_t time = seconds_since_1970;
  std::tm parts{};
  gmtime_r(&time, &parts);
  char text[32];
  const std::size_t length = std::strftime(text, sizeof text, "%Y%m%d%H%M%S", &parts);
  return {text, length};
}

Json automatic1111_reply(const ImageRequest& request, const PictureReply& reply) {
  Json images = Json::array();
  for (const PictureFile& file : reply.files) {
    if (request.sends_images) images.push_back(base64_of(file.bytes));
  }
  return {{"images", std::move(images)},
          {"parameters", parameters_json(request)},
          {"info", json_text(info_json(request, reply))}};
}

}  // namespace ssd1b
