#pragma once

#include <cstdint>
#include <limits>
#include <optional>

#include "inference/unet/unet_config.h"
#include "inference/vae/vae_config.h"

namespace ssd1b {

/// Bytes of a model's weights in the dtypes that it computes in, and of one element of each.
struct WeightSizes {
  std::int64_t text_encoders = 0;
  std::int64_t unet = 0;
  std::int64_t vae = 0;
  std::int64_t unet_element = 4;
  std::int64_t vae_element = 4;
};

/// What memory the device gives, and for which model.
struct MemoryNeeds {
  WeightSizes weights;
  UNetConfig unet;
  VaeConfig vae;
  std::int64_t limit_bytes = 0;
  bool limit_is_given = true;   // by --device-memory-limit; else it is what the device has free
  bool device_is_host = false;  // then nothing can be moved off it
};

/// What stays on the device and what pictures are decoded in tiles. Follows from sizes and the
/// limit alone, never from a momentary want of memory, so that a request gives the same bytes every
/// time.
class MemoryPlan {
 public:
  /// Without a limit: everything stays, nothing is decoded in tiles.
  MemoryPlan() = default;
  /// Throws Error(Usage), or Error(NoDevice) for a limit that nobody gave, where the weights do not
  /// fit with what one UNet call and one small tile take.
  explicit MemoryPlan(const MemoryNeeds& needs);

  bool text_encoders_stay() const { return text_encoders_stay_; }
  /// The side of a tile in latent pixels for a picture of that latent size; nullopt: in one piece.
  std::optional<std::int64_t> tile(std::int64_t height, std::int64_t width) const;
  /// How many latent pixels, of all rows together, a UNet call that pictures share may have.
  std::int64_t call_pixels() const { return call_pixels_; }
  /// Of how many latent pixels, of all rows together, the memory of UNet calls may be held by
  /// graphs; 0: there are none, as on the host, under a limit and where the encoders do not stay.
  std::int64_t graph_pixels() const { return graph_pixels_; }

 private:
  std::optional<std::int64_t> room_;  // beside the weights that stay
  VaeConfig vae_;
  std::int64_t vae_element_ = 4;
  bool text_encoders_stay_ = true;
  std::int64_t call_pixels_ = std::numeric_limits<std::int64_t>::max();
  std::int64_t graph_pixels_ = 0;
};

/// About what decoding latents of that size takes beside the weights: the widest tensors of the
/// last level, the only ones as large as the picture.
std::int64_t decode_bytes(const VaeConfig& vae, std::int64_t element, std::int64_t height,
                          std::int64_t width);

/// About what one UNet call takes beside the weights: skips and the widest level's intermediates.
std::int64_t unet_call_bytes(const UNetConfig& unet, std::int64_t element, std::int64_t rows,
                             std::int64_t height, std::int64_t width);

}  // namespace ssd1b
