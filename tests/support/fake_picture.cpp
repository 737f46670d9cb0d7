#include <sstream>

#include "support/fake_engine.h"

namespace ssd1b {
namespace {

/// FNV-1a: the same on every machine, unlike std::hash.
std::uint64_t hash_of(const std::string& text) {
  std::uint64_t hash = 14695981039346656037ull;
  for (const char c : text) {
    hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211ull;
  }
  return hash;
}

std::string text_of(const GenerationRequest& request, int calls) {
  std::ostringstream text;
  text.precision(17);
  text << request.prompt << '\0' << (request.negative_prompt ? "+" : "-")
       << request.negative_prompt.value_or("") << '\0' << request.width_px << ' '
       << request.height_px << ' ' << request.steps << ' ' << request.guidance_scale << ' '
       << request.seed << ' ' << request.scheduler << ' ' << request.original_width_px << ' '
       << request.original_height_px << ' ' << request.target_width_px << ' '
       << request.target_height_px << ' ' << request.crop_top_px << ' ' << request.crop_left_px
       << ' ' << request.clip_skip << ' ' << calls;
  return text.str();
}

}  // namespace

ModelInfo fake_model(const std::string& device, int max_pictures) {
  ModelInfo model;
  model.type = "fake";
  model.device = device;
  model.dtype = model.vae_dtype = "float32";
  model.max_clip_skip = 10;
  model.max_pictures = max_pictures;
  model.steps = 4;
  model.width_px = model.height_px = 64;
  model.scheduler = "euler";
  model.schedulers = {{"euler", "EulerDiscreteScheduler", 150},
                      {"euler_a", "EulerAncestralDiscreteScheduler", 150},
                      {"heun", "HeunDiscreteScheduler", 150},
                      {"ddim", "DDIMScheduler", 150},
                      {"dpmpp_2m", "DPMSolverMultistepScheduler", 150},
                      {"dpmpp_2m_karras", "DPMSolverMultistepScheduler", 150},
                      {"unipc", "UniPCMultistepScheduler", 150},
                      {"lcm", "LCMScheduler", 50}};
  for (int steps = 1; steps <= 150; ++steps) {
    model.schedulers[2].unet_calls.push_back(2 * steps - 1);  // Heun's
  }
  model.libtorch_version = "none";
  return model;
}

Image fake_picture(const GenerationRequest& request, int calls) {
  const std::uint64_t hash = hash_of(text_of(request, calls));
  Image image;
  image.width_px = request.width_px;
  image.height_px = request.height_px;
  image.rgb.resize(std::size_t{3} * request.width_px * request.height_px);
  auto* out = image.rgb.data();
  for (int y = 0; y < image.height_px; ++y) {
    for (int x = 0; x < image.width_px; ++x) {
      *out++ = static_cast<std::uint8_t>(hash + 3 * x);
      *out++ = static_cast<std::uint8_t>((hash >> 8) + 5 * y);
      *out++ = static_cast<std::uint8_t>((hash >> 16) + x + y);
    }
  }
  return image;
}

Image fake_picture(const GenerationRequest& request) {
  return fake_picture(request, work_of(request, fake_model()).unet_calls);
}

}  // namespace ssd1b
