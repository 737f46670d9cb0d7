#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "ssd1b/error.h"
#include "ssd1b/generation.h"

namespace ssd1b {

/// One scheduler that a model can be sampled with.
struct SchedulerInfo {
  std::string name;        // euler, dpmpp_2m_karras, ...
  std::string class_name;  // diffusers' class: EulerDiscreteScheduler, ...
  int max_steps = 150;     // lcm and tcd: their original_inference_steps
  int min_steps = 1;       // pndm that begins with Runge-Kutta: 4
  /// UNet calls of min_steps, min_steps + 1, ... max_steps steps; empty: one a step.
  std::vector<int> unet_calls = {};
};

/// What a loaded model can do, and its defaults. Plain data; crosses the wire to the server.
struct ModelInfo {
  std::string type;    // from the UNet's config: ssd-1b, sdxl, vega, ...
  std::string device;  // cpu, cuda:0
  std::string dtype;   // float32, float16, bfloat16
  std::string vae_dtype;
  int vae_scale_factor = 8;  // pixels a latent pixel, each way
  int latent_channels = 4;
  int prompt_token_limit = 77;
  int max_clip_skip = 0;
  bool guidance_embedded = false;  // time_cond_proj_dim: always one row
  int max_pictures = 1;            // pictures in the making at one time
  // Defaults of a request.
  int steps = 25;
  double guidance_scale = 7.5;
  int width_px = 1024;
  int height_px = 1024;
  std::string scheduler = "euler";
  std::optional<std::string> negative_prompt;
  std::vector<SchedulerInfo> schedulers;
  std::string libtorch_version;
  std::string cuda_version;  // empty on the CPU
};

using PictureId = std::uint64_t;

/// `step` of `steps` UNet calls are done.
struct PictureProgress {
  int step = 0;
  int steps = 0;
};

/// How far it is: what the UNet takes for the clean picture after `step` of `steps`.
struct PicturePreview {
  Image image;  // of the picture's own size
  int step = 0;
  int steps = 0;
};

struct PictureFinished {
  GeneratedImage result;
};

/// One picture's fault; the engine goes on with the others.
struct PictureFailed {
  ErrorCode code = ErrorCode::InternalError;
  std::string message;
};

struct PictureEvent {
  PictureId id = 0;
  std::variant<PictureProgress, PicturePreview, PictureFinished, PictureFailed> what;
};

/// A loaded model on one device: the seam between the wings. Used by one thread.
class Engine {
 public:
  virtual ~Engine() = default;

  virtual const ModelInfo& model() const = 0;

  /// Whether memory allows this picture beside those in the making; where not, the caller lets it
  /// wait for their end, and keeps the count in any case. Not a forecast of its units: open_model's
  /// engine always says yes, and a picture whose unit finds no memory is a PictureFailed. The fake
  /// engine of the tests says no where it is told to.
  virtual bool has_room_for(const GenerationRequest& request) const = 0;

  /// Checks and enqueues; does no work. Throws Error for a request that the model cannot make.
  virtual void admit(PictureId id, const GenerationRequest& request) = 0;

  /// No more work for this picture and no more events of it. An unknown id is no fault: a picture
  /// may have ended while the message was on its way.
  virtual void cancel(PictureId id) = 0;

  /// Decode the picture as it is at its next unit. An unknown id is no fault.
  virtual void finish(PictureId id) = 0;

  /// One unit of work: a prompt encoding, a UNet call or a VAE decode. Without pictures: nothing.
  /// One picture's fault is a PictureFailed; throws Error(DeviceLost) only when the device is lost.
  virtual std::vector<PictureEvent> step() = 0;
};

/// Makes one picture on an idle engine: the loop that a program without a server runs. Throws the
/// picture's fault as Error. `on_progress` may be empty.
GeneratedImage generate(Engine& engine, const GenerationRequest& request,
                        const std::function<void(const PictureProgress&)>& on_progress);

}  // namespace ssd1b
