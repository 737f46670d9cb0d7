#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "inference/layers/tick.h"
#include "inference/pipeline/memory_plan.h"
#include "inference/pipeline/precision.h"
#include "inference/schedulers/scheduler_choice.h"
#include "inference/text_encoder/text_encoder.h"
#include "inference/tokenizer/clip_tokenizer.h"
#include "inference/unet/unet.h"
#include "inference/vae/vae.h"
#include "inference/weights/model_folder.h"
#include "inference/weights/parameter_home.h"
#include "ssd1b/engine.h"
#include "ssd1b/pipeline.h"

namespace ssd1b {

/// A model folder in memory: the networks with their weights (of the VAE the decoder), the
/// tokenizers, the schedulers.
/// After loading two things change: the VAE's second copy comes, and the text encoders' values move
/// with their homes. Both need it not const.
class Model {
 public:
  /// Loads everything; the device has been opened. Throws Error(BadModel).
  Model(const ModelOptions& options, const c10::Device& device);

  /// The VAE in float32, loaded at first use: what decodes where `vae` overflows.
  const Vae& full_precision_vae();

 private:
  void plan_memory(const ModelOptions& options);
  void load_networks();

  // The order of the members is the order of loading: cheap checks first.
  ModelFolder folder_;

 public:
  const c10::Device device;
  const UNetConfig unet_config;
  const VaeConfig vae_config;
  const Precision precision;
  const ClipTokenizer tokenizer, tokenizer_2;
  const SchedulerChoice schedulers;
  const std::vector<std::string> known_words;  // empty: nothing is unknown
  const bool force_zeros_for_empty_prompt;
  const Tick tick;
  TextEncoder text_encoder, text_encoder_2;
  UNet unet;
  Vae vae;
  ModelInfo info;
  MemoryPlan memory;
  /// Of text encoders that do not stay on the device; empty where they do.
  std::optional<ParameterHome> text_encoder_home, text_encoder_2_home;

 private:
  std::unique_ptr<Vae> full_precision_vae_;
};

}  // namespace ssd1b
