#pragma once

#include <array>
#include <optional>
#include <string>

#include "ssd1b/image.h"

namespace ssd1b {

enum class ImageFormat { Png, Jpeg, Webp };

/// In the order in which they are chosen where a client has no preference.
constexpr std::array<ImageFormat, 3> kImageFormats = {ImageFormat::Png, ImageFormat::Jpeg,
                                                      ImageFormat::Webp};

/// As `png`.
const char* name_of(ImageFormat format);

/// nullopt where no format has this name.
std::optional<ImageFormat> image_format_named(const std::string& name);

/// As `image/png`.
std::string content_type_of(ImageFormat format);

/// The picture as a file. `quality` (1 to 100) counts for JPEG and WebP only. `metadata` is UTF-8
/// text that the file carries where it is not empty: PNG as text chunk `parameters`, JPEG and WebP
/// as Exif UserComment. The same arguments give the same bytes. Throws Error(InvalidValue) for a
/// quality out of range and a text that the format cannot hold. Thread-safe.
std::string encode(const Image& image, ImageFormat format, int quality = 90,
                   const std::string& metadata = "");

}  // namespace ssd1b
