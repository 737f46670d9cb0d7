#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <vector>

#include "inference/pipeline/device_work.h"
#include "inference/pipeline/picture.h"
#include "inference/pipeline/turn_order.h"
#include "inference/pipeline/unet_graphs.h"

namespace ssd1b {

/// The real engine: pictures take turns by unit of work; on CUDA those of one latent size share
/// UNet calls. Where memory runs out, a unit is tried once more without what graphs and libtorch
/// hold, then by fewer pictures; only one that is alone fails. Used by one thread, the one that
/// made it.
class Pipeline : public Engine {
 public:
  Pipeline(const ModelOptions& options, const c10::Device& device);
  /// Says itself whether pictures share calls, which none do on the CPU but in tests.
  Pipeline(const ModelOptions& options, const c10::Device& device, bool shares_calls);

  const ModelInfo& model() const override { return model_.info; }
  bool has_room_for(const GenerationRequest& request) const override;
  void admit(PictureId id, const GenerationRequest& request) override;
  void cancel(PictureId id) override;
  void finish(PictureId id) override;
  std::vector<PictureEvent> step() override;

 private:
  using Pictures = std::vector<std::unique_ptr<Picture>>;

  /// The pictures that one unit of work is for, in order of arrival.
  using Unit = std::vector<Picture*>;

  std::vector<Unit> possible_units() const;
  bool may_join(const Unit& unit, const Picture& picture) const;
  /// That a call for pictures of this size may have.
  std::int64_t most_rows(const Picture& picture) const;
  Unit next_unit();
  Pictures::iterator find(PictureId id);
  void drop(PictureId id);

  void encode(Picture& picture);
  std::vector<PictureEvent> preview(Picture& picture);
  PictureEvent decode(Picture& picture);
  Image image_of(const at::Tensor& latents);
  std::vector<PictureEvent> denoise(const Unit& unit);
  /// What the UNet says of each picture's rows [rows, C, h, w]; changes nothing of the pictures.
  std::vector<at::Tensor> call_unet(const Unit& unit);
  /// What the rows with a prompt of a unit's pictures need, behind one another.
  const PromptKeysValues& prompts_of(const Unit& unit);
  /// Frees what prompts_of made: MemoryPlan counts it as memory of UNet calls alone.
  void forget_shared();
  /// Does `work`, which changes nothing before it has all its memory: once more where that ran out.
  void with_memory(const std::function<void()>& work);

  Model model_;
  const bool shares_calls_;
  const bool keep_latents_;
  PromptEncoder prompts_;
  UNetGraphs unet_;
  CallFence fence_;
  std::vector<PictureId> shared_by_;  // whose rows `shared_` holds: they stay for many calls
  PromptKeysValues shared_;
  static constexpr std::int64_t kAnyPixels = std::numeric_limits<std::int64_t>::max();
  std::int64_t call_pixels_ = kAnyPixels;  // that a shared call may have: fewer once memory ran out
  TurnOrder turns_;
  Pictures pictures_;  // in order of arrival
};

}  // namespace ssd1b
