#include "inference/weights/lora/lora_key.h"

#include <algorithm>
#include <array>
#include <utility>

#include "inference/weights/name_matching.h"
#include "ssd1b/error.h"

namespace ssd1b {
namespace {

[[noreturn]] void fail(const SafetensorsFile& file, const std::string& tensor,
                       const std::string& what) {
  throw Error(ErrorCode::BadModel, file.path().string() + ": tensor " + shown(tensor) + " " + what);
}

/// Other ways to change a model that come in the same files, by a part of a tensor's name.
constexpr std::array<std::pair<const char*, const char*>, 14> kOtherKinds = {{
    {"dora_scale", "DoRA"},
    {"lora_magnitude_vector", "DoRA"},
    {".hada_", "LoHa"},
    {".lokr_", "LoKr"},
    {".lora_mid.", "LoCon with a middle matrix"},
    {".oft_", "OFT"},
    {".boft_", "BOFT"},
    {".lora_embedding_", "a LoRA of an embedding"},
    {".on_input", "IA3"},
    {".a1.weight", "GLoRA"},
    {".lora_B.bias", "a LoRA with biases"},
    {".lora_up.bias", "a LoRA with biases"},
    {"lora_controlnet", "a Control-LoRA"},
    {"bundle_emb.", "textual inversion"},
}};

/// Where the names of other architectures begin.
constexpr std::array<std::pair<const char*, const char*>, 6> kOtherModels = {{
    {"transformer.", "a diffusion transformer (FLUX, Stable Diffusion 3)"},
    {"lora_transformer_", "a diffusion transformer (FLUX, Stable Diffusion 3)"},
    {"lora_unet_double_blocks_", "FLUX"},
    {"lora_unet_single_blocks_", "FLUX"},
    {"lora_unet_joint_blocks_", "Stable Diffusion 3"},
    {"lora_prior_", "Stable Cascade"},
}};

/// Longest first where one is the start of another; the empty one takes what has no prefix.
constexpr std::array<std::pair<const char*, const char*>, 10> kPrefixes = {{
    {"lora_unet_", "unet"},
    {"lora_te1_", "text_encoder"},
    {"lora_te2_", "text_encoder_2"},
    {"lora_te_", "text_encoder"},
    {"base_model.model.", "unet"},
    {"diffusion_model.", "unet"},
    {"unet.", "unet"},
    {"text_encoder_2.", "text_encoder_2"},
    {"text_encoder.", "text_encoder"},
    {"", "unet"},
}};

constexpr std::array<std::pair<const char*, LoraPart>, 11> kEndings = {{
    {".lora_down.weight", LoraPart::Down},
    {".lora_up.weight", LoraPart::Up},
    {".lora_A.weight", LoraPart::Down},
    {".lora_B.weight", LoraPart::Up},
    {".lora_linear_layer.down.weight", LoraPart::Down},
    {".lora_linear_layer.up.weight", LoraPart::Up},
    {".lora.down.weight", LoraPart::Down},
    {".lora.up.weight", LoraPart::Up},
    {"_lora.down.weight", LoraPart::Down},
    {"_lora.up.weight", LoraPart::Up},
    {".alpha", LoraPart::Alpha},
}};

void refuse_other_kinds(const SafetensorsFile& file, const std::string& tensor) {
  for (const auto& [part, kind] : kOtherKinds) {
    if (tensor.find(part) == std::string::npos) continue;
    fail(file, tensor,
         "must be of a LoRA (pairs of matrices and an alpha), got one of " + std::string(kind) +
             ", which this program does not merge");
  }
  if (ends_with(tensor, ".diff") || ends_with(tensor, ".diff_b")) {
    fail(file, tensor, "must be of a LoRA (pairs of matrices and an alpha), got a full difference");
  }
  for (const auto& [start, model] : kOtherModels) {
    if (!starts_with(tensor, start)) continue;
    fail(file, tensor,
         "must be of a LoRA of SSD-1B or its relatives, got one of " + std::string(model));
  }
}

}  // namespace

LoraKey read_lora_key(const SafetensorsFile& file, const std::string& tensor) {
  refuse_other_kinds(file, tensor);
  LoraKey key;
  for (const auto& [prefix, component] : kPrefixes) {
    if (!starts_with(tensor, prefix)) continue;
    key.component = component;
    key.module = tensor.substr(std::string(prefix).size());
    break;
  }
  for (const auto& [ending, part] : kEndings) {
    if (!ends_with(key.module, ending)) continue;
    key.module.resize(key.module.size() - std::string(ending).size());
    key.part = part;
    return key;
  }
  fail(file, tensor,
       "must be the down or up matrix or the alpha of a LoRA (kohya's, PEFT's or diffusers' "
       "names), got another name");
}

bool names_component(const std::string& tensor) {
  return std::any_of(kPrefixes.begin(), kPrefixes.end(), [&](const auto& each) {
    return *each.first != '\0' && starts_with(tensor, each.first);
  });
}

}  // namespace ssd1b
