#include "service/image_files/webp.h"

#include <webp/encode.h>
#include <webp/mux.h>

#include <cstdint>
#include <memory>

#include "service/image_files/exif.h"
#include "service/image_files/image_check.h"
#include "ssd1b/error.h"

namespace ssd1b {
namespace {

struct Free {
  void operator()(std::uint8_t* memory) const { WebPFree(memory); }
};

struct DeleteMux {
  void operator()(WebPMux* mux) const { WebPMuxDelete(mux); }
};

WebPData data_of(const std::string& bytes) {
  return {reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()};
}

/// The file once more, in its extended form with an EXIF chunk.
std::string with_exif(const std::string& file, const std::string& exif) {
  const WebPData picture = data_of(file);
  const WebPData chunk = data_of(exif);
  const std::unique_ptr<WebPMux, DeleteMux> mux(WebPMuxCreate(&picture, /*copy_data=*/0));
  WebPData assembled = {nullptr, 0};
  const bool is_done = mux &&
                       WebPMuxSetChunk(mux.get(), "EXIF", &chunk, /*copy_data=*/0) == WEBP_MUX_OK &&
                       WebPMuxAssemble(mux.get(), &assembled) == WEBP_MUX_OK;
  if (!is_done) throw Error(ErrorCode::OutOfMemory, "no memory for the metadata of a WebP file");
  std::string bytes(reinterpret_cast<const char*>(assembled.bytes), assembled.size);
  WebPDataClear(&assembled);
  return bytes;
}

}  // namespace

std::string encode_webp(const Image& image, int quality, const std::string& comment) {
  check_image(image);
  check_quality(quality);
  const std::string exif = comment.empty() ? "" : exif_with_comment(comment);
  std::uint8_t* memory = nullptr;
  const std::size_t size = WebPEncodeRGB(image.rgb.data(), image.width_px, image.height_px,
                                         3 * image.width_px, static_cast<float>(quality), &memory);
  const std::unique_ptr<std::uint8_t, Free> owner(memory);
  // Size and quality are right, so nothing else is left that could have failed.
  if (size == 0) throw Error(ErrorCode::OutOfMemory, "no memory for a WebP file");
  const std::string file(reinterpret_cast<const char*>(memory), size);
  return exif.empty() ? file : with_exif(file, exif);
}

}  // namespace ssd1b
