#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace ssd1b {

/// Draws standard normal noise of the latents' shape in `dtype`, on the latents' device, from the
/// picture's own generator. Schedulers call it as often, in the order and in the dtype that
/// diffusers draws in.
using NoiseSource = std::function<at::Tensor(at::ScalarType dtype)>;

/// Where a picture's sampling begins.
struct SchedulerStart {
  int steps = 0;        // of the whole schedule, as the request has it
  int start_index = 0;  // steps left out at the start (img2img: steps - int(steps * strength))
  at::Tensor noise;  // [1, C, h, w] standard normal, in the model's dtype; the scheduler scales it
  at::Tensor image;  // [1, C, h, w] latents of a picture that noise is added to; undefined: none
  NoiseSource noise_source;  // for schedulers that draw while sampling
};

/// One picture's way from noise to latents: says which UNet calls it wants and makes a step of each
/// answer. Same results as diffusers' class of the same name. Used by one thread.
class Scheduler {
 public:
  virtual ~Scheduler() = default;

  /// Of the UNet calls that are still to be made, in order; may be fractional (Karras sigmas and
  /// the like).
  virtual std::vector<double> timesteps() const = 0;
  /// Of the next UNet call; none: the latents are done.
  virtual std::optional<double> next_timestep() const = 0;
  /// Takes the (guided) answer to that call, [1, C, h, w] in the latents' dtype, and goes on.
  /// Throws Error(InternalError) where no call was due.
  virtual void feed(const at::Tensor& model_output) = 0;
  /// [1, C, h, w] in the dtype of the noise it began with.
  virtual const at::Tensor& latents() const = 0;
  /// The picture as it stands: the last step's prediction of the clean latents where the scheduler
  /// has one, else latents(). For previews.
  virtual const at::Tensor& denoised() const = 0;
  /// latents() as the next UNet call is to see them: scaled, and rounded as diffusers does.
  virtual at::Tensor model_input() const = 0;
};

}  // namespace ssd1b
