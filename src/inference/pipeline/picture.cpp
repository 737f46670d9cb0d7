#include "inference/pipeline/picture.h"

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>

#include "inference/pipeline/device_work.h"

namespace ssd1b {

Picture::Picture(PictureId id, const GenerationRequest& request, const Model& model)
    : id_(id), request_(request), model_(model), work_(work_of(request, model.info)) {}

int Picture::calls_left() const {
  return stage_ == Stage::Decode ? 0 : work_.unet_calls - calls_done_;
}

PictureProgress Picture::progress() const {
  return {request_.steps * calls_done_ / work_.unet_calls, request_.steps};
}

at::Tensor Picture::draw_noise(at::ScalarType dtype) {
  const std::int64_t factor = model_.info.vae_scale_factor;
  const std::array<std::int64_t, 4> shape = {
      1, model_.info.latent_channels, request_.height_px / factor, request_.width_px / factor};
  // Drawn on the CPU in the dtype asked for, whatever the device, so that pictures equal
  // diffusers'.
  return upload(at::randn(shape, generator_, at::dtype(dtype)), model_.device);
}

void Picture::begin(std::shared_ptr<const PromptEncoding> encoding) {
  encoding_ = std::move(encoding);
  // That of torch.Generator("cpu").manual_seed(seed); new each time, as begin may be tried again.
  generator_ = at::make_generator<at::CPUGeneratorImpl>(request_.seed);
  SchedulerStart start;
  start.steps = request_.steps;
  start.noise = draw_noise(model_.precision.networks);
  start.noise_source = [this](at::ScalarType dtype) { return draw_noise(dtype); };
  scheduler_ = model_.schedulers.make(request_.scheduler, start);
  const at::Tensor timesteps =
      upload(at::tensor(scheduler_->timesteps(), at::dtype(at::kFloat)), model_.device);
  times_ = model_.unet.embed_times(timesteps.unsqueeze(1).expand({-1, conditioning().rows()}),
                                   conditioning());
  if (stage_ == Stage::Encode) stage_ = Stage::Denoise;
}

at::Tensor Picture::model_input() const {
  const at::Tensor latents = scheduler_->model_input();
  return encoding_->conditioning.rows() == 2 ? at::cat({latents, latents}) : latents;
}

at::Tensor Picture::times() const { return times_[calls_done_]; }

void Picture::feed(const at::Tensor& output) {
  if (encoding_->conditioning.rows() == 2) {
    const at::Tensor without_prompt = output.narrow(/*dim=*/0, 0, 1);
    const at::Tensor with_prompt = output.narrow(/*dim=*/0, 1, 1);
    scheduler_->feed(without_prompt + (with_prompt - without_prompt) * request_.guidance_scale);
  } else {
    scheduler_->feed(output);
  }
  const int last_step = progress().step;
  ++calls_done_;
  if (!scheduler_->next_timestep()) {
    is_complete_ = true;
    stage_ = Stage::Decode;
  } else if (is_preview_due(last_step)) {
    stage_ = Stage::Preview;
  }
}

/// Whether a boundary between previews + 1 equal parts of the steps was passed by the last call.
bool Picture::is_preview_due(int last_step) const {
  const int parts = request_.previews + 1;
  return progress().step * parts / request_.steps > last_step * parts / request_.steps;
}

const at::Tensor& Picture::latents() const {
  return is_complete_ ? scheduler_->latents() : scheduler_->denoised();
}

GeneratedImage Picture::result() const {
  GeneratedImage result;
  result.seed = request_.seed;
  result.prompt_tokens = encoding_->tokens_needed;
  result.prompt_token_limit = model_.info.prompt_token_limit;
  result.warnings = encoding_->warnings;
  result.timings = timings;
  return result;
}

}  // namespace ssd1b
