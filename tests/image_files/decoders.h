#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "ssd1b/image.h"

namespace ssd1b {

/// A file's picture, by a decoder that knows nothing of our encoders; throws std::runtime_error.
Image decode_png(const std::string& file);
Image decode_webp(const std::string& file);

struct DecodedJpeg {
  Image image;
  bool has_full_colour = false;  // 4:4:4
};
DecodedJpeg decode_jpeg(const std::string& file);

/// A chunk of a PNG or WebP file or a segment of a JPEG file.
struct Chunk {
  std::string type;
  std::string data;
};

/// The chunks in order; throws std::runtime_error where signature, lengths or checksums are wrong.
std::vector<Chunk> png_chunks(const std::string& file);
std::vector<Chunk> webp_chunks(const std::string& file);
/// Segments up to the scan, named by their marker's second byte in hexadecimal ("E1").
std::vector<Chunk> jpeg_segments(const std::string& file);

/// The UserComment of an Exif structure as it lies there: 8 bytes of character code, then the text.
std::string user_comment(const std::string& tiff);

/// Ratio of the largest value to the mean error, in dB; equal pictures: 200.
double psnr_db(const Image& a, const Image& b);

/// A smooth picture with edges.
Image drawn_picture(int width_px, int height_px);

}  // namespace ssd1b
