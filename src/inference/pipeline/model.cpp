#include "inference/pipeline/model.h"

#include <ATen/ATen.h>
#include <ATen/detail/CUDAHooksInterface.h>
#include <malloc.h>
#include <torch/headeronly/version.h>

#include <algorithm>
#include <array>

#include "inference/layers/arrange_weights.h"
#include "inference/pipeline/device_work.h"
#include "inference/pipeline/devices.h"
#include "inference/unet/family.h"
#include "inference/weights/bind.h"
#include "inference/weights/convert.h"
#include "inference/weights/lora/lora.h"
#include "inference/weights/time_ids.h"
#include "logging/log.h"
#include "ssd1b/request_limits.h"

namespace ssd1b {
namespace {

// Where a model says nothing: SSD-1B's card recommends guidance near 9 and many steps; these are
// the middle between that and diffusers' own defaults (50 steps, guidance 5).
constexpr int kSteps = 25;
constexpr double kGuidanceScale = 7.5;
// Models distilled to few steps, without guidance; LCM's authors show 4 steps and embedded guidance
// 8, TCD's 4 steps.
constexpr int kFewSteps = 4;
constexpr double kNoGuidanceScale = 1.0;
constexpr double kEmbeddedGuidanceScale = 8.0;

template <class Module>
BindingPlan plan(Module& module, const ComponentWeights& weights, const LoadOptions& options) {
  return plan_parameters(
      weights, [&](ParameterVisitor& visitor) { visit_parameters(module, Scope(visitor, "")); },
      options);
}

/// CLIP's merge list of the project where the model brings no tokenizer, as single files do.
ClipTokenizer load_tokenizer(const std::filesystem::path& folder, ClipPadding padding) {
  const std::filesystem::path merges = folder / "bpe_simple_vocab_16e6.txt.gz";
  if (std::filesystem::exists(merges)) return ClipTokenizer::load_clip(merges, padding);
  return ClipTokenizer::load(folder);
}

TextEncoderConfig text_encoder_config(const ModelFolder& folder, const std::string& component) {
  return TextEncoderConfig::from(folder.config(component), folder.class_of(component));
}

void check_tokenizer(const ClipTokenizer& tokenizer, const TextEncoderConfig& encoder,
                     const ConfigDocument& document) {
  document.require(tokenizer.id_limit() <= encoder.vocabulary, "vocab_size",
                   "at least the tokenizer's " + std::to_string(tokenizer.id_limit()) + " ids");
  document.require(
      tokenizer.max_length() <= encoder.positions, "max_position_embeddings",
      "at least the tokenizer's model_max_length " + std::to_string(tokenizer.max_length()));
}

/// The hidden states of both prompts are put side by side.
void check_lengths(const ModelFolder& folder, const ClipTokenizer& first,
                   const ClipTokenizer& second) {
  if (first.max_length() == second.max_length()) return;
  throw Error(ErrorCode::BadModel, folder.tokenizer("tokenizer_2").string() +
                                       ": model_max_length must be the first tokenizer's, " +
                                       std::to_string(first.max_length()) + ", got " +
                                       std::to_string(second.max_length()));
}

/// That the parts fit together: widths of embeddings, channels of latents.
void check_parts(const ModelFolder& folder, const TextEncoderConfig& first,
                 const TextEncoderConfig& second, const UNetConfig& unet, const VaeConfig& vae) {
  const ConfigDocument& document = folder.config("unet");
  document.require(
      unet.cross_attention_width == first.width + second.width, "cross_attention_dim",
      "the sum of the text encoders' hidden_size, " + std::to_string(first.width + second.width));
  folder.config("text_encoder_2")
      .require(second.projection_width > 0, "architectures",
               "CLIPTextModelWithProjection, which makes the pooled prompt");
  document.require(unet.pooled_width == second.projection_width,
                   "projection_class_embeddings_input_dim",
                   "6 addition_time_embed_dim + projection_dim of text_encoder_2, " +
                       std::to_string(kTimeIds * unet.time_id_width + second.projection_width));
  document.require(unet.in_channels == vae.latent_channels, "in_channels",
                   "latent_channels of the VAE, " + std::to_string(vae.latent_channels));
  document.require(unet.out_channels == vae.latent_channels, "out_channels",
                   "latent_channels of the VAE, " + std::to_string(vae.latent_channels));
}

/// The side in pixels of so many latent ones, where a request may ask for it, else the nearest.
int side_px(std::int64_t latent_side, const VaeConfig& vae) {
  const std::int64_t factor = vae.scale();
  const std::int64_t lowest = (kMinSidePx + factor - 1) / factor * factor;
  const std::int64_t highest = kMaxSidePx / factor * factor;
  return static_cast<int>(std::clamp(latent_side * factor, lowest, highest));
}

/// `steps`, or as near as the default scheduler comes to them.
int steps_within(const ModelInfo& info, int steps) {
  for (const SchedulerInfo& each : info.schedulers) {
    if (each.name == info.scheduler) return std::clamp(steps, each.min_steps, each.max_steps);
  }
  return steps;
}

void set_defaults(ModelInfo& info, const ModelFolder& folder, const UNetConfig& unet,
                  const VaeConfig& vae, const SchedulerChoice& schedulers) {
  const GenerationConfig& own = folder.generation();
  const bool is_distilled = schedulers.own_is_distilled();
  const bool few_steps = info.guidance_embedded || is_distilled;
  const double guidance_scale = info.guidance_embedded ? kEmbeddedGuidanceScale
                                : is_distilled         ? kNoGuidanceScale
                                                       : kGuidanceScale;
  info.guidance_scale = own.guidance_scale.value_or(guidance_scale);
  info.width_px = own.width_px.value_or(side_px(unet.sample_width, vae));
  info.height_px = own.height_px.value_or(side_px(unet.sample_height, vae));
  info.negative_prompt = own.negative_prompt;
  try {
    info.scheduler = own.scheduler ? schedulers.name_of(*own.scheduler) : schedulers.own_name();
    info.steps = own.steps.value_or(steps_within(info, few_steps ? kFewSteps : kSteps));
    GenerationRequest request = default_request(info);
    request.prompt = "any";
    check_request(request, info);
  } catch (const Error& error) {
    throw Error(ErrorCode::BadModel,
                (folder.path() / "generation_config.json").string() + ": " + error.what());
  }
}

class ElementCounter : public ParameterVisitor {
 public:
  ElementCounter(const c10::Device& device, at::ScalarType dtype)
      : device_(device), dtype_(dtype) {}

  void visit(const std::string&, Parameter& parameter) override {
    count += arranged_elements(parameter, device_, dtype_);
  }
  void stack(Parameter&, std::initializer_list<Parameter*>) override {}

  std::int64_t count = 0;

 private:
  c10::Device device_;
  at::ScalarType dtype_;
};

/// Of a module's weights once they are on the device.
template <class Module>
std::int64_t byte_count(Module& module, const c10::Device& device, at::ScalarType dtype) {
  ElementCounter counter(device, dtype);
  visit_parameters(module, Scope(counter, ""));
  return counter.count * static_cast<std::int64_t>(at::elementSize(dtype));
}

/// Adds the changes of LoRA files to the weights, which are merged when they are loaded.
void add_loras(ModelFolder& folder, const std::vector<LoraOption>& loras,
               const std::string& model_type) {
  LoraTarget target{model_type, {}};
  for (const char* component : {"unet", "text_encoder", "text_encoder_2"}) {
    target.components[component] = &folder.weights(component);
  }
  for (const LoraOption& lora : loras) {
    const auto modules = static_cast<std::int64_t>(add_lora(lora.file, lora.scale, target));
    log_info("lora read",
             {{"file", lora.file.string()}, {"scale", lora.scale}, {"modules", modules}});
  }
}

/// What such a model makes with its family's settings is noise.
void warn_of_training_marks(const ModelFolder& folder) {
  for (const TrainingMark& mark : folder.training_marks()) {
    log_warn("the file's mark is not followed, its pictures may be noise",
             {{"file", folder.path().string()},
              {"mark", mark.name},
              {"remedy", "save it as a model folder and put " + std::string(mark.setting) +
                             " into its scheduler/scheduler_config.json"}});
  }
}

/// The index decides, as in diffusers; whoever reads the settings alone expects the other class.
void warn_of_another_scheduler(const ModelFolder& folder) {
  const ConfigDocument& document = folder.config("scheduler");
  const std::string& of_index = folder.class_of("scheduler");
  if (!document.has_text("_class_name") || document.text("_class_name") == of_index) return;
  log_warn("the scheduler's settings were saved by another class than the index names",
           {{"file", document.file().string()},
            {"saved_by", document.text("_class_name")},
            {"used", of_index}});
}

std::optional<int> capability_of(const c10::Device& device) {
  return device.is_cpu() ? std::nullopt
                         : std::optional<int>(compute_capability_major(device.index()));
}

std::string cuda_version(const c10::Device& device) {
  if (!device.is_cuda()) return "";
  const long version = at::detail::getCUDAHooks().versionCUDART();  // 13000 is 13.0
  return std::to_string(version / 1000) + "." + std::to_string(version % 1000 / 10);
}

}  // namespace

Model::Model(const ModelOptions& options, const c10::Device& device_of)
    : folder_(ModelFolder::open(options.model, options.variant, options.shipped_models)),
      device(device_of),
      unet_config(UNetConfig::from(folder_.config("unet"))),
      vae_config(VaeConfig::from(folder_.config("vae"))),
      precision(choose_precision(options.dtype, options.vae_dtype, capability_of(device),
                                 vae_config.force_upcast)),
      tokenizer(load_tokenizer(folder_.tokenizer("tokenizer"), ClipPadding::EndOfText)),
      tokenizer_2(load_tokenizer(folder_.tokenizer("tokenizer_2"), ClipPadding::ExclamationMark)),
      schedulers(folder_.config("scheduler"), folder_.class_of("scheduler")),
      known_words(folder_.generation().known_words.value_or(std::vector<std::string>())),
      force_zeros_for_empty_prompt(folder_.force_zeros_for_empty_prompt()),
      tick(options.tick),
      text_encoder(text_encoder_config(folder_, "text_encoder")),
      text_encoder_2(text_encoder_config(folder_, "text_encoder_2")),
      unet(unet_config),
      vae(vae_config) {
  const TextEncoderConfig& first = text_encoder.config;
  const TextEncoderConfig& second = text_encoder_2.config;
  check_tokenizer(tokenizer, first, folder_.config("text_encoder"));
  check_tokenizer(tokenizer_2, second, folder_.config("text_encoder_2"));
  check_lengths(folder_, tokenizer, tokenizer_2);
  check_parts(folder_, first, second, unet_config, vae_config);

  info.type = family_of(unet_config);
  info.device = device.str();
  info.dtype = dtype_name(precision.networks);
  info.vae_dtype = dtype_name(precision.vae);
  info.vae_scale_factor = static_cast<int>(vae_config.scale());
  info.latent_channels = static_cast<int>(vae_config.latent_channels);
  info.prompt_token_limit = tokenizer.max_length();
  info.max_clip_skip = static_cast<int>(std::min(first.max_clip_skip(), second.max_clip_skip()));
  info.guidance_embedded = unet_config.guidance_width > 0;
  info.max_pictures = options.max_batch > 0 ? options.max_batch : (device.is_cpu() ? 4 : 8);
  info.schedulers = schedulers.list();
  info.libtorch_version = TORCH_VERSION;
  info.cuda_version = cuda_version(device);
  set_defaults(info, folder_, unet_config, vae_config, schedulers);

  warn_of_another_scheduler(folder_);
  warn_of_training_marks(folder_);
  add_loras(folder_, options.loras, info.type);
  prove_kernels(device, precision);
  plan_memory(options);
  load_networks();
}

void Model::plan_memory(const ModelOptions& options) {
  const std::optional<std::int64_t> given = options.device_memory_limit_bytes;
  if (!given && !device.is_cuda()) return;
  MemoryNeeds needs;
  needs.unet = unet_config;
  needs.vae = vae_config;
  needs.weights.unet_element = static_cast<std::int64_t>(at::elementSize(precision.networks));
  needs.weights.vae_element = static_cast<std::int64_t>(at::elementSize(precision.vae));
  needs.weights.text_encoder = byte_count(text_encoder, device, precision.networks);
  needs.weights.text_encoder_2 = byte_count(text_encoder_2, device, precision.networks);
  needs.weights.unet = byte_count(unet, device, precision.networks);
  needs.weights.vae = byte_count(vae, device, precision.vae);
  if (precision.vae_may_overflow()) needs.weights.second_vae = byte_count(vae, device, at::kFloat);
  needs.tokens = tokenizer.max_length();
  needs.pictures = info.max_pictures;
  if (given) {
    needs.limit_bytes = *given;
  } else {
    const DeviceMemory memory_now = device_memory(device);
    needs.limit_bytes = memory_now.total_bytes / 10 * 9;
    needs.free_bytes = memory_now.free_bytes / 10 * 9;
  }
  needs.device_is_host = device.is_cpu();
  memory = MemoryPlan(needs);
  const std::int64_t side = unet_config.sample_side();
  log_info("memory planned",
           {{"limit_bytes", needs.limit_bytes},
            {"text_encoders_stay", memory.text_encoders_stay()},
            {"tile", memory.tile(side, side, needs.weights.vae_element).value_or(0)},
            {"graph_bytes", memory.graph_room().bytes}});
}

void Model::load_networks() {
  WeightArranger arranger;
  LoadOptions load;
  load.dtype = precision.networks;
  load.device = device;
  load.tick = tick;
  load.arranger = &arranger;
  LoadOptions load_vae = load;
  load_vae.dtype = precision.vae;
  load_vae.skipped_prefixes = unvisited_prefixes(vae);
  LoadOptions load_text = load;
  if (!memory.text_encoders_stay()) {
    load_text.device = at::kCPU;
    load_text.arranger = nullptr;  // they compute on the GPU: the host only keeps their values
  }
  // All headers are checked before the first large allocation.
  const std::array<BindingPlan, 3> plans = {
      plan(text_encoder, folder_.weights("text_encoder"), load_text),
      plan(text_encoder_2, folder_.weights("text_encoder_2"), load_text),
      plan(unet, folder_.weights("unet"), load)};
  const BindingPlan vae_plan = plan(vae, folder_.weights("vae"), load_vae);
  fill_parameters(plans[0], load_text);
  fill_parameters(plans[1], load_text);
  fill_parameters(plans[2], load);
  fill_parameters(vae_plan, load_vae);
  // What weights were before they were arranged goes back to the system.
  if (device.is_cpu()) malloc_trim(0);
  give_back_free_memory(device);
  if (memory.text_encoders_stay()) return;
  const auto remember = [&](TextEncoder& encoder, std::optional<ParameterHome>& home) {
    const ParameterWalk walk = [&](ParameterVisitor& visitor) {
      visit_parameters(encoder, Scope(visitor, ""));
    };
    home.emplace(walk, device);
  };
  remember(text_encoder, text_encoder_home);
  remember(text_encoder_2, text_encoder_2_home);
}

const Vae& Model::full_precision_vae() {
  if (precision.vae == at::kFloat) return vae;
  if (full_precision_vae_ == nullptr) {
    auto copy = std::make_unique<Vae>(vae_config);
    WeightArranger arranger;
    LoadOptions load;
    load.device = device;
    load.tick = tick;
    load.arranger = &arranger;
    load.skipped_prefixes = unvisited_prefixes(*copy);
    fill_parameters(plan(*copy, folder_.weights("vae"), load), load);
    full_precision_vae_ = std::move(copy);
  }
  return *full_precision_vae_;
}

}  // namespace ssd1b
