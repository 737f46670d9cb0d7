#pragma once

#include <optional>
#include <string>

#include "service/dialects/native.h"

namespace ssd1b {

/// A model with every kind of limit, so that tests see the defaults come from it.
inline ModelInfo example_model() {
  ModelInfo model;
  model.type = "ssd-1b";
  model.device = "cpu";
  model.dtype = "float32";
  model.vae_scale_factor = 8;
  model.max_clip_skip = 10;
  model.steps = 25;
  model.guidance_scale = 7.5;
  model.width_px = 1024;
  model.height_px = 768;
  model.scheduler = "euler";
  model.schedulers = {{"euler_karras", "EulerDiscreteScheduler", 150},
                      {"euler", "EulerDiscreteScheduler", 150},
                      {"dpmpp_2m", "DPMSolverMultistepScheduler", 150},
                      {"lcm", "LCMScheduler", 50}};
  return model;
}

inline RequestRules example_rules() {
  RequestRules rules;
  rules.max_pixels = 2359296;
  rules.max_images = 8;
  rules.request_timeout = std::chrono::milliseconds(600000);
  rules.model_names = {"icons"};
  return rules;
}

inline ImageRequest parse_example(const std::string& body, const std::string& accept = "") {
  return parse_native(parse_json(body), {accept, ""}, example_model(), example_rules());
}

/// The fault of a body; nullopt where it is a good one.
inline std::optional<Error> fault_of(const std::string& body, const std::string& accept = "") {
  try {
    parse_example(body, accept);
  } catch (const Error& error) {
    return error;
  }
  return std::nullopt;
}

}  // namespace ssd1b
