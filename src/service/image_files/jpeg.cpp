#include "service/image_files/jpeg.h"

#include <turbojpeg.h>

#include <memory>
#include <type_traits>

#include "service/image_files/exif.h"
#include "service/image_files/image_check.h"
#include "ssd1b/error.h"

namespace ssd1b {
namespace {

constexpr int kFullColourQuality = 90;
constexpr std::size_t kMaxSegment = 65533;  // its length field counts itself
constexpr std::size_t kAfterJfif =
    2 + 2 + 16;  // start of image, then APP0 as the library writes it

struct Destroy {
  void operator()(void* compressor) const { tjDestroy(compressor); }
};

struct Free {
  void operator()(unsigned char* memory) const { tjFree(memory); }
};

std::string compress(const Image& image, int quality) {
  const std::unique_ptr<std::remove_pointer_t<tjhandle>, Destroy> compressor(tjInitCompress());
  const int subsampling = quality >= kFullColourQuality ? TJSAMP_444 : TJSAMP_420;
  unsigned long size = tjBufSize(image.width_px, image.height_px, subsampling);
  std::unique_ptr<unsigned char, Free> file(tjAlloc(static_cast<int>(size)));
  if (!compressor || !file) throw Error(ErrorCode::OutOfMemory, "no memory for a JPEG file");
  unsigned char* memory = file.get();  // large enough by tjBufSize: it is not replaced
  const int failed = tjCompress2(compressor.get(), image.rgb.data(), image.width_px, /*pitch=*/0,
                                 image.height_px, TJPF_RGB, &memory, &size, subsampling, quality,
                                 TJFLAG_ACCURATEDCT | TJFLAG_NOREALLOC);
  // Size and quality are right, so nothing else is left that could have failed.
  if (failed != 0) throw Error(ErrorCode::OutOfMemory, "no memory for a JPEG file");
  return std::string(reinterpret_cast<const char*>(memory), size);
}

std::string comment_segment(const std::string& comment) {
  const std::string data = std::string("Exif\0\0", 6) + exif_with_comment(comment);
  if (data.size() > kMaxSegment) {
    throw Error(ErrorCode::InvalidValue,
                "metadata of a JPEG file must have at most 65533 bytes, got " +
                    std::to_string(data.size()));
  }
  const std::size_t length = data.size() + 2;
  return std::string("\xFF\xE1") + static_cast<char>(length >> 8) +
         static_cast<char>(length & 0xFF) + data;
}

}  // namespace

std::string encode_jpeg(const Image& image, int quality, const std::string& comment) {
  check_image(image);
  check_quality(quality);
  const std::string segment = comment.empty() ? "" : comment_segment(comment);
  std::string file = compress(image, quality);
  if (segment.empty()) return file;
  if (file.size() < kAfterJfif || file.compare(0, 4, "\xFF\xD8\xFF\xE0") != 0) {
    throw Error(ErrorCode::InternalError,
                "a JPEG file begins without a JFIF segment: this is a bug");
  }
  return file.insert(kAfterJfif, segment);
}

}  // namespace ssd1b
