#include <array>

#include "inference/weights/model_folder.h"
#include "inference/weights/name_matching.h"
#include "inference/weights/single_file/checkpoint_family.h"
#include "inference/weights/single_file/ldm_text_encoders.h"
#include "inference/weights/single_file/ldm_unet.h"
#include "inference/weights/single_file/ldm_vae.h"
#include "ssd1b/error.h"

namespace ssd1b {
namespace {

constexpr const char* kUNetPrefix = "model.diffusion_model.";
constexpr const char* kVaePrefix = "first_stage_model.";
constexpr const char* kTextEncoderPrefix = "conditioner.embedders.0.transformer.";
constexpr const char* kTextEncoder2Prefix = "conditioner.embedders.1.model.";

constexpr std::array<TrainingMark, 2> kTrainingMarks = {{
    {"v_pred", R"("prediction_type": "v_prediction")"},
    {"ztsnr", R"("rescale_betas_zero_snr": true)"},
}};

std::vector<TrainingMark> training_marks_of(const SafetensorsFile& file) {
  std::vector<TrainingMark> marks;
  for (const TensorInfo& tensor : file.tensors()) {
    for (const TrainingMark& mark : kTrainingMarks) {
      if (tensor.name == mark.name) marks.push_back(mark);
    }
  }
  return marks;
}

/// Every tensor must be of a component or one that known tools leave behind.
void check_prefixes(const SafetensorsFile& file) {
  constexpr std::array<const char*, 4> kPrefixes = {kUNetPrefix, kVaePrefix, kTextEncoderPrefix,
                                                    kTextEncoder2Prefix};
  for (const TensorInfo& tensor : file.tensors()) {
    bool has_place = is_known_leftover(tensor.name);
    for (const char* prefix : kPrefixes) {
      has_place = has_place || starts_with(tensor.name, prefix);
    }
    if (!has_place) {
      throw Error(ErrorCode::BadModel,
                  file.path().string() + ": tensor " + shown(tensor.name) +
                      " must be one of the UNet, the VAE or a text encoder, got one of none");
    }
  }
}

}  // namespace

ModelFolder ModelFolder::open_single_file(const std::filesystem::path& path,
                                          const std::filesystem::path& shipped_models) {
  const SafetensorsFile file = SafetensorsFile::open(path);
  check_is_sdxl_checkpoint(file);
  check_prefixes(file);
  const LdmKeys unet_keys(file, kUNetPrefix);
  const LdmLayout layout = read_ldm_layout(unet_keys);
  const std::string family = family_of_checkpoint(unet_keys, layout);
  const ConfigDocument shipped =
      ConfigDocument::read(shipped_models / "configs" / (family + ".json"));

  ModelFolder model(shipped.object("model_index"));
  model.path_ = path;
  model.training_marks_ = training_marks_of(file);
  const auto add = [&](const std::string& component, LdmComponent read) {
    model.configs_.emplace(component, shipped.object(component).with(read.config));
    model.weights_[component] = std::move(read.weights);
  };
  add("text_encoder",
      read_ldm_text_encoder(LdmKeys(file, kTextEncoderPrefix), shipped.object("text_encoder")));
  add("text_encoder_2", read_ldm_text_encoder_2(LdmKeys(file, kTextEncoder2Prefix),
                                                shipped.object("text_encoder_2")));
  const std::int64_t pooled_width = model.configs_.at("text_encoder_2").integer("projection_dim");
  add("unet", read_ldm_unet(unet_keys, layout, shipped.object("unet"), pooled_width));
  add("vae", read_ldm_vae(LdmKeys(file, kVaePrefix)));
  ConfigDocument scheduler = shipped.object("scheduler");
  if (model.configs_.at("unet").has("time_cond_proj_dim")) {  // distilled to few steps of LCM's
    model.index_ = model.index_.with({{"scheduler", R"(["diffusers", "LCMScheduler"])"}});
    scheduler = scheduler.with({{"_class_name", R"("LCMScheduler")"}});
  }
  model.configs_.emplace("scheduler", std::move(scheduler));
  model.read_classes();
  for (const char* tokenizer : {"tokenizer", "tokenizer_2"}) {
    model.tokenizers_[tokenizer] = shipped_models / "clip-tokenizer";
  }
  return model;
}

}  // namespace ssd1b
