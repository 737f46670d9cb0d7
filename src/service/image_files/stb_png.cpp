#include "service/image_files/stb_png.h"

#include <libdeflate.h>

#include <cstdlib>
#include <memory>

#include "ssd1b/error.h"

namespace ssd1b {
namespace {

// Level 1 and one filter for all rows are 5 to 15 times faster than stb's own deflate, and the file
// is smaller (tests/bench): the level and the filter choice that follow cost time for a few
// percent.
constexpr int kDeflateLevel = 1;
constexpr int kSubFilter = 1;

struct Free {
  void operator()(void* memory) const { std::free(memory); }
};

struct FreeCompressor {
  void operator()(libdeflate_compressor* compressor) const {
    libdeflate_free_compressor(compressor);
  }
};

/// stb's hook: zlib data in memory of malloc, or null.
unsigned char* compress(const unsigned char* data, int size, int* compressed_size, int) {
  const std::unique_ptr<libdeflate_compressor, FreeCompressor> compressor(
      libdeflate_alloc_compressor(kDeflateLevel));
  if (!compressor) return nullptr;
  const auto length = static_cast<std::size_t>(size);
  const std::size_t bound = libdeflate_zlib_compress_bound(compressor.get(), length);
  std::unique_ptr<unsigned char, Free> zlib(static_cast<unsigned char*>(std::malloc(bound)));
  if (!zlib) return nullptr;
  const std::size_t written =
      libdeflate_zlib_compress(compressor.get(), data, length, zlib.get(), bound);
  if (written == 0) return nullptr;
  *compressed_size = static_cast<int>(written);
  return zlib.release();
}

}  // namespace
}  // namespace ssd1b

#define STBIW_ZLIB_COMPRESS ssd1b::compress
#define STBIW_CRC32(buffer, size) libdeflate_crc32(0, buffer, static_cast<std::size_t>(size))
#define STB_IMAGE_WRITE_STATIC
#define STBI_WRITE_NO_STDIO
#define STB_IMAGE_WRITE_IMPLEMENTATION
#include <stb_image_write.h>

namespace ssd1b {

std::string stb_png(const Image& image) {
  // stb takes the filter from a variable of this file: set once, before its first use.
  [[maybe_unused]] static const int filter = stbi_write_force_png_filter = kSubFilter;
  int size = 0;
  const std::unique_ptr<unsigned char, Free> file(stbi_write_png_to_mem(
      image.rgb.data(), /*stride_bytes=*/0, image.width_px, image.height_px, /*n=*/3, &size));
  if (!file) throw Error(ErrorCode::OutOfMemory, "no memory for a PNG file");
  return std::string(reinterpret_cast<const char*>(file.get()), static_cast<std::size_t>(size));
}

}  // namespace ssd1b
