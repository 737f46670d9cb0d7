#include "inference/weights/single_file/checkpoint_family.h"

#include <array>

#include "inference/weights/name_matching.h"
#include "ssd1b/error.h"

namespace ssd1b {
namespace {

/// How a name begins, and what has such names.
struct Sign {
  const char* start;
  const char* what;
};
constexpr std::array<Sign, 26> kSigns = {{
    {"double_blocks.", "FLUX"},
    {"model.diffusion_model.double_blocks.", "FLUX"},
    {"joint_blocks.", "Stable Diffusion 3"},
    {"model.diffusion_model.joint_blocks.", "Stable Diffusion 3"},
    {"cond_stage_model.model.", "Stable Diffusion 2"},
    {"cond_stage_model.transformer.", "Stable Diffusion 1"},
    {"conditioner.embedders.0.model.", "the SDXL refiner"},
    {"edm_mean", "Playground 2.5"},
    {"edm_vpred.sigma_max", "CosXL"},
    {"control_model.", "a ControlNet"},
    {"controlnet_", "a ControlNet"},
    {"lora_unet_", "a LoRA"},
    {"lora_te", "a LoRA"},
    {"unet.", "a LoRA"},
    {"time_embedding.", "one component of a model folder (give the folder)"},
    {"down_blocks.", "one component of a model folder (give the folder)"},
    {"decoder.up_blocks.", "one component of a model folder (give the folder)"},
    {"text_model.", "one component of a model folder (give the folder)"},
    {"encoder.down.", "a VAE alone"},
    {"input_blocks.", "a UNet alone"},
    {"diffusion_model.input_blocks.", "a UNet alone"},
    {"state_dict.", "one whose names begin with state_dict. (take that away)"},
    {"transformer_blocks.", "a diffusion transformer"},
    {"blocks.", "a diffusion transformer"},
    {"model.diffusion_model.layers.", "a diffusion transformer"},
    {"model.language_model.", "a language model"},
}};

[[noreturn]] void refuse(const SafetensorsFile& file, const std::string& what) {
  throw Error(ErrorCode::BadModel,
              file.path().string() + ": must be a checkpoint of SSD-1B, SDXL or Vega, got " + what);
}

bool has_start(const SafetensorsFile& file, const std::string& start) {
  for (const TensorInfo& tensor : file.tensors()) {
    if (starts_with(tensor.name, start)) return true;
  }
  return false;
}

}  // namespace

void check_is_sdxl_checkpoint(const SafetensorsFile& file) {
  for (const Sign& sign : kSigns) {
    if (has_start(file, sign.start)) refuse(file, sign.what);
  }
  if (!has_start(file, "model.diffusion_model.input_blocks.")) refuse(file, "one of another kind");
  if (!has_start(file, "conditioner.embedders.1.model.")) {
    refuse(file, "one without SDXL's text encoders");
  }
}

std::string family_of_checkpoint(const LdmKeys& unet, const LdmLayout& layout) {
  const std::int64_t channels = unet.size("input_blocks.0.0.weight", 1);
  const std::int64_t latents = unet.size("out.2.weight", 0);
  if (channels == 2 * latents + 1) refuse(unet.file(), "SDXL for inpainting");
  if (channels == 2 * latents) refuse(unet.file(), "InstructPix2Pix");
  const bool is_koala = layout.down.size() == 3 && layout.down[0].depths.size() == 1 &&
                        layout.down[2].depths.front() >= 5;
  if (is_koala) refuse(unet.file(), "KOALA");
  if (layout.mid_depth) return "sdxl";
  // As other programs tell them apart: Vega's second level on the way up is one block deep.
  return layout.up.size() > 1 && layout.up[1].depths.front() <= 1 ? "vega" : "ssd-1b";
}

}  // namespace ssd1b
