#pragma once

#include <memory>
#include <vector>

#include "inference/pipeline/device_work.h"
#include "inference/pipeline/picture.h"
#include "inference/pipeline/turn_order.h"
#include "inference/pipeline/unet_graphs.h"

namespace ssd1b {

/// The real engine: pictures take turns by unit of work; on CUDA those of one latent size share
/// UNet calls. Used by one thread, the one that made it.
class Pipeline : public Engine {
 public:
  Pipeline(const ModelOptions& options, const c10::Device& device);

  const ModelInfo& model() const override { return model_.info; }
  bool has_room_for(const GenerationRequest& request) const override;
  void admit(PictureId id, const GenerationRequest& request) override;
  void cancel(PictureId id) override;
  void finish(PictureId id) override;
  std::vector<PictureEvent> step() override;

 private:
  using Pictures = std::vector<std::unique_ptr<Picture>>;

  Picture& next_picture();
  Pictures::iterator find(PictureId id);
  void drop(PictureId id);

  void encode(Picture& picture);
  PictureEvent decode(Picture& picture);
  /// One UNet call for `leader` and all pictures that may share it.
  std::vector<PictureEvent> denoise(Picture& leader);
  std::vector<Picture*> group_of(Picture& leader);
  /// What the rows of a group's pictures need, behind one another.
  const UNetConditioning& conditioning_of(const std::vector<Picture*>& group);
  /// Frees what conditioning_of made: MemoryPlan counts it as memory of UNet calls alone.
  void forget_shared();

  Model model_;
  const bool shares_calls_;
  const bool keep_latents_;
  PromptEncoder prompts_;
  UNetGraphs unet_;
  CallFence fence_;
  std::vector<PictureId> shared_by_;  // whose rows `shared_` holds: a group stays for many calls
  UNetConditioning shared_;
  TurnOrder turns_;
  Pictures pictures_;  // in order of arrival
};

}  // namespace ssd1b
