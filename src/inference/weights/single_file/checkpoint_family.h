#pragma once

#include <string>

#include "inference/weights/safetensors_file.h"
#include "inference/weights/single_file/ldm_unet.h"

namespace ssd1b {

/// Refuses, by name, a checkpoint that is not of SDXL's kind: FLUX, Stable Diffusion 1, 2 and 3,
/// the SDXL refiner, a LoRA, one component of a folder. Reads names only. Throws Error(BadModel).
void check_is_sdxl_checkpoint(const SafetensorsFile& file);

/// The family whose configs fit a UNet of this shape: ssd-1b, vega or sdxl. Throws Error(BadModel)
/// that names one that this program does not run (KOALA, inpainting).
std::string family_of_checkpoint(const LdmKeys& unet, const LdmLayout& layout);

}  // namespace ssd1b
