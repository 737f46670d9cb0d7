#pragma once

#include <vector>

#include "wire/messages.h"

namespace ssd1b {

inline GenerationRequest example_request() {
  GenerationRequest request;
  request.prompt = "an \"apple\"\n\u00e4 \U0001F34E";
  request.negative_prompt = "";
  request.width_px = 1024;
  request.height_px = 768;
  request.steps = 25;
  request.guidance_scale = 7.1;
  request.seed = 18446744073709551615ull;
  request.scheduler = "euler_a";
  request.original_width_px = 1;
  request.original_height_px = 2;
  request.target_width_px = 3;
  request.target_height_px = 4;
  request.crop_top_px = 5;
  request.crop_left_px = 6;
  request.clip_skip = 7;
  request.previews = 2;
  return request;
}

inline ModelInfo example_model() {
  ModelInfo model;
  model.type = "ssd-1b";
  model.device = "cuda:0";
  model.dtype = "float16";
  model.vae_dtype = "float32";
  model.vae_scale_factor = 4;
  model.latent_channels = 16;
  model.prompt_token_limit = 154;
  model.max_clip_skip = 10;
  model.guidance_embedded = true;
  model.max_pictures = 8;
  model.steps = 30;
  model.guidance_scale = 5.5;
  model.width_px = 512;
  model.height_px = 640;
  model.scheduler = "pndm";
  model.negative_prompt = "blurry";
  model.schedulers = {{"euler", "EulerDiscreteScheduler", 150},
                      {"pndm", "PNDMScheduler", 6, 4, {13, 14, 15}}};
  model.libtorch_version = "2.11.0";
  model.cuda_version = "13.0";
  return model;
}

inline GeneratedImage example_result(int width_px = 3, int height_px = 2) {
  GeneratedImage result;
  result.image = {width_px, height_px, {}};
  for (int i = 0; i < 3 * width_px * height_px; ++i) {
    result.image.rgb.push_back(static_cast<std::uint8_t>(i));
  }
  result.seed = 9223372036854775809ull;
  result.prompt_tokens = 93;
  result.prompt_token_limit = 77;
  result.warnings = {{"prompt_truncated", "too long"}, {"unknown_words", "xyz"}};
  result.timings.text_encoder_ms = 1.5;
  result.timings.denoise_ms = 2.25;
  result.timings.vae_ms = 0.1;
  return result;
}

/// One of each, in the order of FrameType.
inline std::vector<Frame> example_frames() {
  std::vector<Frame> frames;
  frames.push_back(encode(ServerMessage(AdmitMessage{1, example_request()})));
  frames.push_back(encode(ServerMessage(CancelMessage{2})));
  frames.push_back(encode(ServerMessage(FinishMessage{3})));
  frames.push_back(encode(ServerMessage(StopMessage{})));
  frames.push_back(encode(WorkerMessage(ReadyMessage{example_model()})));
  frames.push_back(encode(WorkerMessage(TickMessage{})));
  frames.push_back(encode(WorkerMessage(ProgressMessage{4, {5, 25}, 12.5, 2, false})));
  frames.push_back(encode(WorkerMessage(PreviewMessage{5, {example_result().image, 3, 4}})));
  frames.push_back(encode(WorkerMessage(FinishedMessage{6, example_result()})));
  frames.push_back(
      encode(WorkerMessage(FailedMessage{7, ErrorCode::NonFiniteOutput, "latents hold NaN"})));
  frames.push_back(encode(WorkerMessage(FatalMessage{ErrorCode::BadModel, "unet is missing"})));
  return frames;
}

inline std::vector<std::uint8_t> bytes_of(const Frame& frame) {
  std::vector<std::uint8_t> bytes = encode_frame_head(frame);
  bytes.insert(bytes.end(), frame.bytes.begin(), frame.bytes.end());
  return bytes;
}

inline bool is_from_server(FrameType type) { return static_cast<int>(type) < 16; }

}  // namespace ssd1b
