#include "service/image_files/image_files.h"

#include "service/image_files/jpeg.h"
#include "service/image_files/png.h"
#include "service/image_files/webp.h"
#include "ssd1b/error.h"

namespace ssd1b {

const char* content_type_of(ImageFormat format) {
  switch (format) {
    case ImageFormat::Png:
      return "image/png";
    case ImageFormat::Jpeg:
      return "image/jpeg";
    case ImageFormat::Webp:
      return "image/webp";
  }
  throw Error(ErrorCode::InternalError, "an image format has no content type: this is a bug");
}

std::string encode(const Image& image, ImageFormat format, int quality,
                   const std::string& metadata) {
  switch (format) {
    case ImageFormat::Png:
      // `parameters` is where other tools of this field write their settings and look for them.
      if (metadata.empty()) return encode_png(image);
      return encode_png(image, {{"parameters", metadata}});
    case ImageFormat::Jpeg:
      return encode_jpeg(image, quality, metadata);
    case ImageFormat::Webp:
      return encode_webp(image, quality, metadata);
  }
  throw Error(ErrorCode::InternalError, "an image format has no encoder: this is a bug");
}

}  // namespace ssd1b
