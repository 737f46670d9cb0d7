#include "service/image_files/image_check.h"

#include <string>

#include "ssd1b/error.h"

namespace ssd1b {
namespace {

constexpr int kMaxSide = 16383;

bool is_side(int pixels) { return pixels >= 1 && pixels <= kMaxSide; }

}  // namespace

void check_image(const Image& image) {
  const bool is_whole = is_side(image.width_px) && is_side(image.height_px) &&
                        image.rgb.size() == std::size_t{3} *
                                                static_cast<std::size_t>(image.width_px) *
                                                static_cast<std::size_t>(image.height_px);
  if (is_whole) return;
  throw Error(ErrorCode::InternalError,
              "a picture of " + std::to_string(image.width_px) + " x " +
                  std::to_string(image.height_px) + " must have 3 bytes a pixel, got " +
                  std::to_string(image.rgb.size()) + " bytes: this is a bug");
}

void check_quality(int quality) {
  if (quality >= 1 && quality <= 100) return;
  throw Error(ErrorCode::InvalidValue,
              "quality must be between 1 and 100, got " + std::to_string(quality), "quality");
}

}  // namespace ssd1b
