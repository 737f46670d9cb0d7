#pragma once

#include <cstdint>
#include <map>
#include <optional>

#include "ssd1b/generation.h"

namespace ssd1b {

/// Learns how long units of work take on one device and says how long pictures will. Sizes are told
/// apart by rows x latent pixels of a UNet call; a size not seen yet counts from the nearest one
/// seen, in proportion. Pure; used under its owner's lock.
class WaitEstimate {
 public:
  /// A UNet call of one picture; of a shared call, its share.
  void observe_call(std::int64_t row_pixels, double seconds);

  /// What a picture takes besides its UNet calls: encoding its prompt and decoding it.
  void observe_rest(std::int64_t latent_pixels, double seconds);

  /// None before the first observation.
  std::optional<double> seconds_of_call(std::int64_t row_pixels) const;

  /// The rest of a picture that has so many UNet calls left; 0 before the first observation: nobody
  /// is turned away for what is not known.
  double seconds_of(const Work& work, int calls_left) const;

 private:
  /// Mean seconds by size, the last few observations counting most.
  class Table {
   public:
    void observe(std::int64_t size, double seconds);
    std::optional<double> seconds_of(std::int64_t size) const;

   private:
    std::map<std::int64_t, double> means_;
  };

  Table calls_;
  Table rests_;
};

/// Whole seconds for a Retry-After header: rounded up, 1 to 3600.
int retry_after_of(double seconds);

}  // namespace ssd1b
