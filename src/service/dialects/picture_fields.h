#pragma once

#include <cstdint>
#include <optional>

#include "service/dialects/field_reader.h"
#include "service/dialects/image_request.h"

namespace ssd1b {

constexpr int kMaxQuality = 100;
constexpr int kDefaultQuality = 90;

/// The pictures that a body asks for, with warnings and without what is about the reply. Reads the
/// fields with these ids, so far as the dialect has them: prompt (required), negative_prompt,
/// width, height, steps, guidance_scale, scheduler, seed, num_images, original_width,
/// original_height, target_width, target_height, crop_top, crop_left, clip_skip. What is absent is
/// taken from `defaults`; a seed is drawn below 2^32. Throws Error with the client's name of the
/// field.
ImageRequest read_pictures(const FieldReader& fields, const GenerationRequest& defaults,
                           const ModelInfo& model, const RequestRules& rules);

/// `output_format`; nullopt where the body names none.
std::optional<ImageFormat> read_output_format(const FieldReader& fields);

/// Throws InvalidValue where width times height is beyond what the operator allows.
void check_pixels(int width_px, int height_px, const std::string& field, const RequestRules& rules);

}  // namespace ssd1b
