#pragma once

#include <ATen/core/Generator.h>

#include <memory>

#include "inference/pipeline/prompt_encoder.h"

namespace ssd1b {

/// One picture in the making, with all the state that is its own. Used by the device thread only.
class Picture {
 public:
  enum class Stage { Encode, Denoise, Preview, Decode };

  Picture(PictureId id, const GenerationRequest& request, const Model& model);

  PictureId id() const { return id_; }
  const GenerationRequest& request() const { return request_; }
  Stage stage() const { return stage_; }
  /// UNet calls that are still to be made.
  int calls_left() const;
  /// In steps of the request, whatever UNet calls its scheduler makes of them.
  PictureProgress progress() const;

  /// Draws the noise and takes its encoding; afterwards it is ready for the first UNet call. May be
  /// called again where it threw.
  void begin(std::shared_ptr<const PromptEncoding> encoding);
  const UNetConditioning& conditioning() const { return encoding_->conditioning; }
  /// The next UNet call: latents for each of its rows [rows, C, h, w], scaled, and their times
  /// [rows, W].
  at::Tensor model_input() const;
  at::Tensor times() const;
  /// Takes the UNet's output for its rows [rows, C, h, w]: guides, makes a scheduler step.
  void feed(const at::Tensor& output);

  /// A preview was made, or could not be: on with the UNet calls.
  void end_preview() { stage_ = Stage::Denoise; }
  /// Decode as it is: no more UNet calls.
  void finish_early() { stage_ = Stage::Decode; }
  bool has_begun() const { return scheduler_ != nullptr; }
  /// What is to be decoded, [1, C, h, w].
  const at::Tensor& latents() const;

  /// Everything of the result but the image.
  GeneratedImage result() const;

  StageTimings timings;

 private:
  at::Tensor draw_noise(at::ScalarType dtype);
  bool is_preview_due(int last_step) const;

  const PictureId id_;
  const GenerationRequest request_;
  const Model& model_;
  const Work work_;
  Stage stage_ = Stage::Encode;
  bool is_complete_ = false;
  int calls_done_ = 0;
  at::Generator generator_;
  std::shared_ptr<const PromptEncoding> encoding_;
  std::unique_ptr<Scheduler> scheduler_;
  at::Tensor times_;  // [calls, rows, W]
};

}  // namespace ssd1b
