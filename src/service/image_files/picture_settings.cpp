#include "service/image_files/picture_settings.h"

#include <nlohmann/json.hpp>

namespace ssd1b {

std::string picture_settings(const GenerationRequest& request, const std::string& model) {
  nlohmann::ordered_json settings = {{"prompt", request.prompt},
                                     {"negative_prompt", nullptr},
                                     {"width", request.width_px},
                                     {"height", request.height_px},
                                     {"steps", request.steps},
                                     {"guidance_scale", request.guidance_scale},
                                     {"scheduler", request.scheduler},
                                     {"seed", request.seed},
                                     {"original_width", request.original_width_px},
                                     {"original_height", request.original_height_px},
                                     {"target_width", request.target_width_px},
                                     {"target_height", request.target_height_px},
                                     {"crop_top", request.crop_top_px},
                                     {"crop_left", request.crop_left_px},
                                     {"clip_skip", request.clip_skip},
                                     {"model", model}};
  if (request.negative_prompt) settings["negative_prompt"] = *request.negative_prompt;
  return settings.dump();
}

}  // namespace ssd1b
