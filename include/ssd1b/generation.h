#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "ssd1b/image.h"

namespace ssd1b {

struct ModelInfo;

/// One picture to make, fully resolved: only the negative prompt may be absent (zero embeddings
/// where the model asks for them; the empty string is encoded as text).
struct GenerationRequest {
  std::string prompt;
  std::optional<std::string> negative_prompt;
  int width_px = 0;
  int height_px = 0;
  int steps = 0;
  double guidance_scale = 0.0;
  std::uint64_t seed = 0;
  std::string scheduler;  // a name of ModelInfo::schedulers
  // SDXL's micro-conditioning.
  int original_width_px = 0;
  int original_height_px = 0;
  int target_width_px = 0;
  int target_height_px = 0;
  int crop_top_px = 0;
  int crop_left_px = 0;
  int clip_skip = 0;  // as diffusers counts: 0 takes the last layer but one
  /// Pictures of how far it is, at most so many, spread over its steps, each after another one;
  /// each costs a VAE decode and changes nothing of the picture.
  int previews = 0;
};

/// Where a picture's time went, in milliseconds.
struct StageTimings {
  double queue_ms = 0.0;
  double text_encoder_ms = 0.0;
  double denoise_ms = 0.0;
  double vae_ms = 0.0;
  double encode_ms = 0.0;  // the image file
};

/// Something the client should know about a picture that was made all the same.
struct Warning {
  std::string code;  // prompt_truncated, unknown_words, negative_prompt_unused
  std::string message;
};

/// A finished picture.
struct GeneratedImage {
  Image image;
  std::uint64_t seed = 0;
  int prompt_tokens = 0;  // what the text needs, both specials included, of the longer tokenizer
  int prompt_token_limit = 0;  // 77 for CLIP
  std::vector<Warning> warnings;
  StageTimings timings;
  std::vector<float> latents;  // [C, h, w], only where ModelOptions::keep_latents asked for them
};

/// What a picture costs; what admission, the watchdog and progress count with.
struct Work {
  int unet_calls = 0;
  int rows = 0;                    // rows of one UNet call: 2 with guidance, else 1
  int decodes = 1;                 // of the VAE: the previews' and the picture's
  std::int64_t latent_pixels = 0;  // h * w
  /// Row-pixels over all UNet calls: the unit in which pictures are compared.
  std::int64_t total() const { return latent_pixels * rows * unet_calls; }
};

/// The model's defaults with an empty prompt and seed 0.
GenerationRequest default_request(const ModelInfo& model);

/// Throws Error(InvalidValue or MissingField, param = the native request's field) where the request
/// is not one that the model can make. Pure; the same check guards the HTTP edge and Engine::admit.
void check_request(const GenerationRequest& request, const ModelInfo& model);

/// Pure. The request must have passed check_request.
Work work_of(const GenerationRequest& request, const ModelInfo& model);

/// Whether the request's pictures are guided: two rows a UNet call.
bool is_guided(const GenerationRequest& request, const ModelInfo& model);

}  // namespace ssd1b
