#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "service/image_files/image_files.h"
#include "ssd1b/engine.h"
#include "ssd1b/generation.h"

namespace ssd1b {

/// What is sent back: the one picture's bytes, JSON that holds the pictures, or JSON with addresses
/// from which they can be fetched.
enum class ReplyKind { Bytes, JsonText, JsonLinks };

/// What the operator allows in one request.
struct RequestRules {
  std::int64_t max_pixels = 2359296;
  int max_images = 8;
  std::chrono::milliseconds request_timeout{7200000};
  std::vector<std::string> model_names;  // the first is what replies show
  bool takes_openai_names = false;       // clients with OpenAI's own model names built in work too
};

/// One HTTP request for pictures, whatever dialect it came in; fully resolved.
struct ImageRequest {
  // Alike but for the seed: seed, seed + 1, ...
  std::vector<GenerationRequest> pictures;
  ReplyKind reply = ReplyKind::Bytes;
  ImageFormat format = ImageFormat::Png;
  int quality = 90;
  bool embed_metadata = false;
  bool is_streamed = false;     // as server-sent events; of one picture
  std::string effort = "auto";  // OpenAI's quality: low, medium, high or auto
  std::chrono::milliseconds timeout{0};
  std::vector<Warning> warnings;           // what is known before a picture is made
  std::string count_field = "num_images";  // as the client calls the number of pictures
  // What only Automatic1111's replies say.
  int batch_size = 1;
  bool sends_images = true;
};

}  // namespace ssd1b
