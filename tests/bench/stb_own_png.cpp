#include "bench/stb_own_png.h"

#include <cstdlib>
#include <memory>

#define STB_IMAGE_WRITE_STATIC
#define STBI_WRITE_NO_STDIO
#define STB_IMAGE_WRITE_IMPLEMENTATION
#include <stb_image_write.h>

namespace ssd1b {

std::string stb_own_png(const Image& image) {
  int size = 0;
  const std::unique_ptr<unsigned char, void (*)(void*)> file(
      stbi_write_png_to_mem(image.rgb.data(), /*stride_bytes=*/0, image.width_px, image.height_px,
                            /*n=*/3, &size),
      std::free);
  return std::string(reinterpret_cast<const char*>(file.get()), static_cast<std::size_t>(size));
}

}  // namespace ssd1b
