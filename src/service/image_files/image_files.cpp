#include "service/image_files/image_files.h"

#include "service/image_files/jpeg.h"
#include "service/image_files/png.h"
#include "service/image_files/webp.h"
#include "ssd1b/error.h"

namespace ssd1b {

const char* name_of(ImageFormat format) {
  switch (format) {
    case ImageFormat::Png:
      return "png";
    case ImageFormat::Jpeg:
      return "jpeg";
    case ImageFormat::Webp:
      return "webp";
  }
  throw Error(ErrorCode::InternalError, "an image format has no name: this is a bug");
}

std::optional<ImageFormat> image_format_named(const std::string& name) {
  for (const ImageFormat each : kImageFormats) {
    if (name == name_of(each)) return each;
  }
  return std::nullopt;
}

std::string content_type_of(ImageFormat format) { return std::string("image/") + name_of(format); }

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
