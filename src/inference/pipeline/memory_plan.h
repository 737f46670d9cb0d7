#pragma once

#include <cstdint>
#include <optional>

#include "inference/unet/unet_config.h"
#include "inference/vae/vae_config.h"

namespace ssd1b {

/// Bytes of a model's weights in the dtypes that it computes in, and of one element of each.
struct WeightSizes {
  std::int64_t text_encoder = 0;
  std::int64_t text_encoder_2 = 0;
  std::int64_t unet = 0;
  std::int64_t vae = 0;
  std::int64_t second_vae = 0;  // in float32, for where the first overflows; 0: there is none
  std::int64_t unet_element = 4;
  std::int64_t vae_element = 4;
};

/// What memory the device gives, for which model and how many pictures.
struct MemoryNeeds {
  WeightSizes weights;
  UNetConfig unet;
  VaeConfig vae;
  std::int64_t tokens = 77;   // of a prompt
  std::int64_t pictures = 1;  // in the making at a time
  /// --device-memory-limit, else what the device has in all, less what it should keep.
  std::int64_t limit_bytes = 0;
  /// Where nobody gave a limit: what of the device is free, CUDA's own part taken already.
  std::optional<std::int64_t> free_bytes;
  bool device_is_host = false;  // then nothing can be moved off it
};

/// About what a UNet call takes beside the weights.
struct UNetCallCost {
  std::int64_t pixel_bytes = 0;  // a latent pixel: skips and the widest level's intermediates
  std::int64_t row_bytes = 0;    // keys and values of its prompt in every transformer block

  std::int64_t bytes(std::int64_t rows, std::int64_t height, std::int64_t width) const {
    return rows * (row_bytes + height * width * pixel_bytes);
  }
};

/// What recorded UNet calls may hold.
struct GraphRoom {
  std::int64_t bytes = 0;
  UNetCallCost cost;
};

/// What stays on the device and what pictures are decoded in tiles. The tiles follow from sizes,
/// the number of pictures and the limit alone, never from a momentary want of memory, so that a
/// request gives the same bytes every time. What is free decides on the rest: whether the encoders
/// stay, how many pictures share a call, what graphs hold, and whether the model is served at all.
class MemoryPlan {
 public:
  /// Without a limit: everything stays, nothing is decoded in tiles.
  MemoryPlan() = default;
  /// Throws Error(Usage) where the weights do not fit into a given limit with what the pictures'
  /// prompts, one UNet call and one small tile take; Error(NoDevice) where they do not fit into
  /// what is free, with the tiles that the device has memory for.
  explicit MemoryPlan(const MemoryNeeds& needs);

  bool text_encoders_stay() const { return text_encoders_stay_; }
  /// The side of a tile in latent pixels for a picture of that latent size that is decoded in
  /// numbers of `element` bytes; nullopt: in one piece.
  std::optional<std::int64_t> tile(std::int64_t height, std::int64_t width,
                                   std::int64_t element) const;
  /// How many rows a UNet call of that latent size that pictures share may have.
  std::int64_t call_rows(std::int64_t height, std::int64_t width) const;
  /// None on the host, under a limit and where the encoders do not stay.
  const GraphRoom& graph_room() const { return graph_room_; }

 private:
  // Beside the weights that stay, the pictures' prompts and the graphs.
  std::optional<std::int64_t> decode_room_;
  std::int64_t call_room_ = 0;
  VaeConfig vae_;
  UNetCallCost call_cost_;
  bool text_encoders_stay_ = true;
  GraphRoom graph_room_;
};

/// About what decoding latents of that size takes beside the weights: the widest tensors of the
/// last level, the only ones as large as the picture.
std::int64_t decode_bytes(const VaeConfig& vae, std::int64_t element, std::int64_t height,
                          std::int64_t width);

UNetCallCost unet_call_cost(const UNetConfig& unet, std::int64_t element, std::int64_t tokens);

}  // namespace ssd1b
