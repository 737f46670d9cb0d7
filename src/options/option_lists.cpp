#include "options/option_lists.h"

#include "options/option_values.h"
#include "options/shipped_files.h"
#include "ssd1b/error.h"
#include "ssd1b/request_limits.h"

namespace ssd1b {
namespace {

bool is_variant(const std::string& text) {
  return !text.empty() && text.find_first_not_of(
                              "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                              "0123456789._-") == std::string::npos;
}

/// An option of a picture: absent, it is the model's own.
Option side(const std::string& name, std::optional<int>& to) {
  return whole_number(name, to, {kMinSidePx, kMaxSidePx}).in("pixels").by_default("the model's");
}

Option conditioning(const std::string& name, std::optional<int>& to,
                    const std::string& by_default) {
  return whole_number(name, to, {0, kMaxConditioningPx})
      .in("pixels")
      .by_default(by_default)
      .says("SDXL's micro-conditioning");
}

/// -1 is a random seed, as in the HTTP dialects.
Option seed(std::optional<std::uint64_t>& to) {
  Option option;
  option.name = "seed";
  option.value_name = "N";
  option.kind = ValueKind::Integer;
  option.must_be = "a whole number from 0 to 18446744073709551615, or -1 for a random one";
  option.default_text = "a random one below 2^32";
  option.set = [&to](const std::string& given) {
    to = unsigned_of(given);
    return to.has_value() || given == "-1";
  };
  return option.says("of the first picture; picture i uses seed + i");
}

}  // namespace

std::vector<Option> joined(std::initializer_list<std::vector<Option>> lists) {
  std::vector<Option> result;
  for (const std::vector<Option>& list : lists) {
    result.insert(result.end(), list.begin(), list.end());
  }
  return result;
}

TextRule prompt_rule(bool may_be_empty) {
  return {(may_be_empty ? "at most 4096 bytes" : "1 to 4096 bytes") +
              std::string(" of UTF-8 without control characters but tab and newline"),
          [may_be_empty](const std::string& given) {
            return (may_be_empty || !given.empty()) && given.size() <= kMaxPromptBytes &&
                   is_plain_text(given);
          }};
}

std::vector<Option> pipeline_list(PipelineOptions& to) {
  const std::vector<std::string> dtypes = {"auto", "float32", "float16", "bfloat16"};
  return {
      path("model", to.model)
          .by_default("the model that comes with the project")
          .says("a diffusers-layout folder, or one single-file .safetensors checkpoint"),
      text("variant", "NAME", to.variant,
           {"a name of letters, digits, '.', '_' and '-'", is_variant})
          .says("prefer *.NAME.safetensors, as fp16, which one component at least must have; "
                "without it "
                "plain files first, then fp16"),
      text("device", "LIST", to.device,
           {"auto, cpu, cuda, or a list of cpu and cuda:N without doubles, as cuda:0,cuda:1",
            is_device_list})
          .says("where to compute; auto: every usable GPU, else the CPU, and the start says which"),
      one_of("dtype", to.dtype, dtypes)
          .says("numbers of encoders and UNet; auto: float32 on the CPU, float16 on CUDA"),
      one_of("vae-dtype", to.vae_dtype, dtypes)
          .says("numbers of the VAE; auto: the dtype of the model where force_upcast is false, "
                "else a "
                "wider one"),
      whole_number("threads", to.threads, {1, 1024})
          .by_default("the physical cores within affinity and the control group's limit")
          .says("CPU threads of one worker"),
      whole_number("max-batch", to.max_batch, {1, 256})
          .in("pictures")
          .by_default("4 on the CPU, 8 on CUDA")
          .says("pictures in the making on one worker at a time"),
      on_or_off("batch-invariant", to.batch_invariant)
          .says(
              "on CUDA: a picture's bytes do not depend on what it shares a batch with; on the CPU "
              "they never do"),
      texts("lora", "FILE[:SCALE]", to.loras, {"FILE or FILE:SCALE with a finite SCALE", is_lora})
          .says("merged into the weights at start"),
      size("device-memory-limit", to.device_memory_limit_bytes)
          .by_default("the device's memory less 10 %")
          .says("decides what stays on the device and whether the VAE decodes in tiles"),
  };
}

std::vector<Option> log_list(LogOptions& to) {
  return {
      one_of("log-level", to.level, {"error", "warn", "info", "debug"})
          .says("what is logged, to standard error"),
      one_of("log-format", to.format, {"text", "json"})
          .says("how a record is written: one line each"),
  };
}

std::vector<Option> picture_list(PictureOptions& to) {
  return {
      text("prompt", "TEXT", to.prompt, prompt_rule(/*may_be_empty=*/false)).says("what to draw"),
      text("negative-prompt", "TEXT", to.negative_prompt, prompt_rule(/*may_be_empty=*/true))
          .by_default("the model's, else none")
          .says("what not to draw; the empty text is not the same as none"),
      on_or_off("no-negative-prompt", to.has_no_negative_prompt)
          .says("none, whatever the model's default is"),
      side("width", to.width_px).says("a multiple of the VAE's factor (8 for SSD-1B)"),
      side("height", to.height_px).says("as width"),
      whole_number("steps", to.steps, {1, kMaxSteps})
          .by_default("the model's")
          .says("steps of the scheduler; at most 50 for lcm and tcd"),
      number("guidance-scale", to.guidance_scale, {0.0, kMaxGuidanceScale})
          .by_default("the model's")
          .says("how closely to follow the prompt; at most 1: no guidance"),
      seed(to.seed),
      text("scheduler", "NAME", to.scheduler,
           {"a scheduler's name", [](const std::string& given) { return is_variant(given); }})
          .by_default("the model's")
          .says("euler, dpmpp_2m_karras, ..., or a diffusers class's name"),
      conditioning("original-width", to.original_width_px, "the picture's width"),
      conditioning("original-height", to.original_height_px, "the picture's height"),
      conditioning("target-width", to.target_width_px, "the picture's width"),
      conditioning("target-height", to.target_height_px, "the picture's height"),
      conditioning("crop-top", to.crop_top_px, "0"),
      conditioning("crop-left", to.crop_left_px, "0"),
      whole_number("clip-skip", to.clip_skip, {0, 128})
          .by_default("0")
          .says("layers of the text encoders to leave out, as diffusers counts"),
  };
}

void complete(PipelineOptions& pipeline) {
  if (!pipeline.model.empty()) return;
  const std::filesystem::path models = shipped_models_folder();
  if (models.empty()) {
    throw Error(ErrorCode::Usage,
                "--model must be given: no model was found beside the program "
                "(../share/ssd1b-server/models/icons)");
  }
  pipeline.model = models / "icons";
}

std::string model_name(const PipelineOptions& pipeline) {
  std::filesystem::path path = std::filesystem::absolute(pipeline.model).lexically_normal();
  if (!path.has_filename()) path = path.parent_path();  // a slash at its end
  const bool is_file = path.extension() == ".safetensors";
  const std::string name = is_file ? path.stem().string() : path.filename().string();
  return name.empty() ? "model" : name;
}

}  // namespace ssd1b
