#include "inference/weights/component_weights.h"

#include <algorithm>
#include <array>
#include <utility>

#include "inference/weights/name_matching.h"
#include "ssd1b/error.h"

namespace ssd1b {
namespace {

/// VAE files saved before diffusers 0.18 name the attention's matrices otherwise.
constexpr std::array<std::pair<const char*, const char*>, 4> kOldAttentionNames = {{
    {".query.", ".to_q."},
    {".key.", ".to_k."},
    {".value.", ".to_v."},
    {".proj_attn.", ".to_out.0."},
}};

std::string vae_name(const std::string& name) {
  if (name.find(".attentions.") == std::string::npos) return name;
  for (const auto& [old_name, today] : kOldAttentionNames) {
    const std::size_t at = name.find(old_name);
    if (at != std::string::npos) {
      return name.substr(0, at) + today + name.substr(at + std::string(old_name).size());
    }
  }
  return name;
}

std::string text_encoder_name(const std::string& name) {
  // transformers 5.6 and newer may save a CLIPTextModel without it.
  constexpr std::array<const char*, 3> kInner = {"embeddings.", "encoder.", "final_layer_norm."};
  for (const char* start : kInner) {
    if (starts_with(name, start)) return "text_model." + name;
  }
  return name;
}

/// What else of a whole CLIP may stand in a text encoder's file: the pictures' half, and the first
/// encoder's projection, which SDXL does not use.
bool is_other_part(const std::string& component, const std::string& name) {
  if (!starts_with(component, "text_encoder")) return false;
  return starts_with(name, "vision_model.") || name == "visual_projection.weight" ||
         (component == "text_encoder" && name == "text_projection.weight");
}

}  // namespace

TensorSource source_of(const SafetensorsFile& file, const TensorInfo& tensor) {
  return {file, tensor.name, tensor.dtype, tensor.shape, tensor.offset, tensor.bytes, false};
}

std::string todays_name(const std::string& component, const std::string& name) {
  if (component == "vae") return vae_name(name);
  if (starts_with(component, "text_encoder")) return text_encoder_name(name);
  return name;
}

void squeeze_attention(const std::string& name, TensorSource& source) {
  const bool is_matrix = name.find(".attentions.") != std::string::npos &&
                         (name.find(".to_") != std::string::npos) && ends_with(name, ".weight");
  if (is_matrix && source.shape.size() == 4 && source.shape[2] == 1 && source.shape[3] == 1) {
    source.shape.resize(2);
  }
}

bool is_known_leftover(const std::string& name) {
  constexpr std::array<const char*, 5> kStarts = {
      "model_ema.", "sqrt_", "log_", "posterior_", "first_stage_model.loss.",
  };
  for (const char* start : kStarts) {
    if (starts_with(name, start)) return true;
  }
  // v_pred and ztsnr say how a model was trained: ModelFolder::training_marks. The last three are
  // of the whole CLIP-L, whose pictures' half SDXL does not have.
  constexpr std::array<const char*, 14> kNames = {
      "logit_scale",
      "denoiser.sigmas",
      "denoiser.log_sigmas",
      "alphas_cumprod",
      "alphas_cumprod_prev",
      "betas",
      "lvlb_weights",
      "logvar",
      "scale_factor",
      "v_pred",
      "ztsnr",
      "conditioner.embedders.0.logit_scale",
      "conditioner.embedders.0.text_projection.weight",
      "conditioner.embedders.0.transformer.text_projection.weight",
  };
  return ends_with(name, "position_ids") ||
         std::find(kNames.begin(), kNames.end(), name) != kNames.end();
}

ComponentWeights collect_weights(const std::string& component,
                                 const std::vector<SafetensorsFile>& files) {
  ComponentWeights weights;
  weights.component = component;
  if (!files.empty()) {
    weights.path = files.size() == 1 ? files.front().path() : files.front().path().parent_path();
  }
  for (const SafetensorsFile& file : files) {
    for (const TensorInfo& tensor : file.tensors()) {
      if (is_known_leftover(tensor.name) || is_other_part(component, tensor.name)) continue;
      const std::string name = todays_name(component, tensor.name);
      TensorSource source = source_of(file, tensor);
      if (component == "vae") squeeze_attention(name, source);
      const auto [at, is_new] = weights.tensors.emplace(name, source);
      if (!is_new) {
        throw Error(ErrorCode::BadModel, file.path().string() + ": tensor " + shown(tensor.name) +
                                             ": a parameter must come once, got it as " +
                                             shown(at->second.file_name) + " in " +
                                             at->second.file.path().string() + " too");
      }
    }
  }
  return weights;
}

}  // namespace ssd1b
