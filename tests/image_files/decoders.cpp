#include "image_files/decoders.h"

#include <turbojpeg.h>
#include <webp/decode.h>
#include <zlib.h>

#include <cmath>
#include <memory>
#include <stdexcept>

#define STB_IMAGE_IMPLEMENTATION
#define STB_IMAGE_STATIC
#define STBI_ONLY_PNG
#define STBI_NO_STDIO
#include <stb_image.h>

namespace ssd1b {
namespace {

void need(bool holds, const char* what) {
  if (!holds) throw std::runtime_error(what);
}

const std::uint8_t* bytes_of(const std::string& text) {
  return reinterpret_cast<const std::uint8_t*>(text.data());
}

std::size_t number_at(const std::string& text, std::size_t at, int count,
                      bool is_low_first = false) {
  std::size_t value = 0;
  for (int i = 0; i < count; ++i) {
    const std::size_t offset = at + static_cast<std::size_t>(is_low_first ? count - 1 - i : i);
    value = value << 8 | static_cast<std::uint8_t>(text.at(offset));
  }
  return value;
}

Image image_of(const std::uint8_t* pixels, int width, int height) {
  const std::size_t size = std::size_t{3} * static_cast<std::size_t>(width * height);
  return {width, height, std::vector<std::uint8_t>(pixels, pixels + size)};
}

}  // namespace

Image decode_png(const std::string& file) {
  int width = 0;
  int height = 0;
  int channels = 0;
  const std::unique_ptr<stbi_uc, void (*)(void*)> pixels(
      stbi_load_from_memory(bytes_of(file), static_cast<int>(file.size()), &width, &height,
                            &channels, 0),
      stbi_image_free);
  need(pixels != nullptr && channels == 3, "no PNG of three channels");
  return image_of(pixels.get(), width, height);
}

Image decode_webp(const std::string& file) {
  int width = 0;
  int height = 0;
  const std::unique_ptr<std::uint8_t, void (*)(void*)> pixels(
      WebPDecodeRGB(bytes_of(file), file.size(), &width, &height), WebPFree);
  need(pixels != nullptr, "no WebP");
  return image_of(pixels.get(), width, height);
}

DecodedJpeg decode_jpeg(const std::string& file) {
  const std::unique_ptr<void, int (*)(void*)> decoder(tjInitDecompress(), tjDestroy);
  int width = 0;
  int height = 0;
  int subsampling = 0;
  int colours = 0;
  need(tjDecompressHeader3(decoder.get(), bytes_of(file), file.size(), &width, &height,
                           &subsampling, &colours) == 0,
       "no JPEG header");
  std::vector<std::uint8_t> pixels(static_cast<std::size_t>(3 * width * height));
  need(tjDecompress2(decoder.get(), bytes_of(file), file.size(), pixels.data(), width, 0, height,
                     TJPF_RGB, TJFLAG_ACCURATEDCT) == 0,
       "no JPEG");
  return {{width, height, std::move(pixels)}, subsampling == TJSAMP_444};
}

std::vector<Chunk> png_chunks(const std::string& file) {
  need(file.compare(0, 8, "\x89PNG\r\n\x1A\n") == 0, "no PNG signature");
  std::vector<Chunk> chunks;
  std::size_t at = 8;
  while (at < file.size()) {
    const std::size_t length = number_at(file, at, 4);
    need(at + 12 + length <= file.size(), "a chunk is cut");
    const std::string body = file.substr(at + 4, 4 + length);
    const std::size_t checksum = crc32(0, bytes_of(body), static_cast<uInt>(body.size()));
    need(checksum == number_at(file, at + 8 + length, 4), "a chunk's checksum is wrong");
    chunks.push_back({body.substr(0, 4), body.substr(4)});
    at += 12 + length;
  }
  return chunks;
}

std::vector<Chunk> webp_chunks(const std::string& file) {
  need(file.compare(0, 4, "RIFF") == 0 && file.compare(8, 4, "WEBP") == 0, "no WebP signature");
  need(number_at(file, 4, 4, true) == file.size() - 8, "RIFF's length is wrong");
  std::vector<Chunk> chunks;
  std::size_t at = 12;
  while (at < file.size()) {
    const std::size_t length = number_at(file, at + 4, 4, true);
    need(at + 8 + length <= file.size(), "a chunk is cut");
    chunks.push_back({file.substr(at, 4), file.substr(at + 8, length)});
    at += 8 + length + length % 2;
  }
  return chunks;
}

std::vector<Chunk> jpeg_segments(const std::string& file) {
  need(file.compare(0, 2, "\xFF\xD8") == 0, "no JPEG signature");
  need(file.compare(file.size() - 2, 2, "\xFF\xD9") == 0, "no end of a JPEG");
  std::vector<Chunk> segments;
  std::size_t at = 2;
  while (segments.empty() || segments.back().type != "DA") {
    need(number_at(file, at, 1) == 0xFF, "no marker");
    const std::size_t length = number_at(file, at + 2, 2);
    constexpr char kDigits[] = "0123456789ABCDEF";
    const std::size_t marker = number_at(file, at + 1, 1);
    segments.push_back(
        {{kDigits[marker >> 4], kDigits[marker & 15]}, file.substr(at + 4, length - 2)});
    at += 2 + length;
  }
  return segments;
}

std::string user_comment(const std::string& tiff) {
  need(tiff.compare(0, 2, "MM") == 0 && number_at(tiff, 2, 2) == 42, "no TIFF");
  const auto value_of = [&](std::size_t folder, std::size_t tag) {
    const std::size_t count = number_at(tiff, folder, 2);
    for (std::size_t i = 0; i < count; ++i) {
      const std::size_t entry = folder + 2 + 12 * i;
      if (number_at(tiff, entry, 2) == tag) return entry;
    }
    throw std::runtime_error("no such tag");
  };
  const std::size_t pointer = value_of(number_at(tiff, 4, 4), 0x8769);
  const std::size_t comment = value_of(number_at(tiff, pointer + 8, 4), 0x9286);
  need(number_at(tiff, comment + 2, 2) == 7, "UserComment must be of type UNDEFINED");
  const std::size_t length = number_at(tiff, comment + 4, 4);
  const std::size_t at = number_at(tiff, comment + 8, 4);
  need(at + length <= tiff.size(), "UserComment is cut");
  return tiff.substr(at, length);
}

double psnr_db(const Image& a, const Image& b) {
  need(a.width_px == b.width_px && a.height_px == b.height_px && a.rgb.size() == b.rgb.size(),
       "pictures of different sizes");
  double sum = 0;
  for (std::size_t i = 0; i < a.rgb.size(); ++i)
    sum += std::pow(double{1} * a.rgb[i] - b.rgb[i], 2);
  if (sum == 0) return 200;
  return 10 * std::log10(255.0 * 255.0 * static_cast<double>(a.rgb.size()) / sum);
}

Image drawn_picture(int width_px, int height_px) {
  Image image{width_px, height_px, {}};
  for (int y = 0; y < height_px; ++y) {
    for (int x = 0; x < width_px; ++x) {
      const bool is_inside = std::hypot(x - width_px / 2, y - height_px / 2) < width_px / 3.0;
      for (int c = 0; c < 3; ++c) {
        const double smooth = 128 + 60 * std::sin(0.02 * x + c) + 50 * std::cos(0.03 * y - c);
        image.rgb.push_back(is_inside ? (c == 0 ? 230 : 20) : static_cast<std::uint8_t>(smooth));
      }
    }
  }
  return image;
}

}  // namespace ssd1b
