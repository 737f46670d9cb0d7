#include <optional>
#include <utility>

#include "wire/flat_object_reader.h"
#include "wire/flat_object_writer.h"
#include "wire/messages.h"

namespace ssd1b {
namespace {

constexpr int kMostSidePx = 1 << 14;  // far above what a request may ask for

[[noreturn]] void refuse(const std::string& what) {
  throw Error(ErrorCode::MalformedRequest, "the worker's message is garbled: " + what);
}

std::string to_text(const ModelInfo& model) {
  std::vector<std::string> names, classes;
  std::vector<int> max_steps, min_steps, unet_calls, counts;
  for (const SchedulerInfo& each : model.schedulers) {
    names.push_back(each.name);
    classes.push_back(each.class_name);
    max_steps.push_back(each.max_steps);
    min_steps.push_back(each.min_steps);
    counts.push_back(static_cast<int>(each.unet_calls.size()));
    unet_calls.insert(unet_calls.end(), each.unet_calls.begin(), each.unet_calls.end());
  }
  return FlatObjectWriter()
      .text("type", model.type)
      .text("device", model.device)
      .text("dtype", model.dtype)
      .text("vae_dtype", model.vae_dtype)
      .integer("vae_scale_factor", model.vae_scale_factor)
      .integer("latent_channels", model.latent_channels)
      .integer("prompt_token_limit", model.prompt_token_limit)
      .integer("max_clip_skip", model.max_clip_skip)
      .boolean("guidance_embedded", model.guidance_embedded)
      .integer("max_pictures", model.max_pictures)
      .integer("steps", model.steps)
      .number("guidance_scale", model.guidance_scale)
      .integer("width", model.width_px)
      .integer("height", model.height_px)
      .text("scheduler", model.scheduler)
      .optional_text("negative_prompt", model.negative_prompt)
      .texts("scheduler_names", names)
      .texts("scheduler_classes", classes)
      .integers("scheduler_max_steps", max_steps)
      .integers("scheduler_min_steps", min_steps)
      .integers("scheduler_unet_calls", unet_calls)  // of all schedulers, one after another
      .integers("scheduler_unet_call_counts", counts)
      .text("libtorch_version", model.libtorch_version)
      .text("cuda_version", model.cuda_version)
      .take();
}

std::vector<SchedulerInfo> schedulers_from(FlatObjectReader& fields) {
  std::vector<std::string> names = fields.texts("scheduler_names");
  std::vector<std::string> classes = fields.texts("scheduler_classes");
  const std::vector<int> max_steps = fields.small_integers("scheduler_max_steps", 1, 1 << 20);
  const std::vector<int> min_steps = fields.small_integers("scheduler_min_steps", 1, 1 << 20);
  const std::vector<int> unet_calls = fields.small_integers("scheduler_unet_calls", 1, 1 << 20);
  const std::vector<int> counts = fields.small_integers("scheduler_unet_call_counts", 0, 1 << 20);
  if (names.size() != classes.size() || names.size() != max_steps.size() ||
      names.size() != min_steps.size() || names.size() != counts.size()) {
    refuse("the lists of schedulers differ in length");
  }
  std::vector<SchedulerInfo> schedulers;
  auto next = unet_calls.begin();
  for (std::size_t i = 0; i < names.size(); ++i) {
    const bool has_all = counts[i] == 0 || counts[i] == max_steps[i] - min_steps[i] + 1;
    if (!has_all || counts[i] > unet_calls.end() - next) {
      refuse("the UNet calls of scheduler " + names[i] + " are not those of its steps");
    }
    schedulers.push_back({std::move(names[i]), std::move(classes[i]), max_steps[i], min_steps[i],
                          std::vector<int>(next, next + counts[i])});
    next += counts[i];
  }
  if (next != unet_calls.end()) refuse("there are UNet calls of no scheduler");
  return schedulers;
}

ModelInfo model_from(const std::string& text) {
  FlatObjectReader fields(text);
  ModelInfo model;
  model.type = fields.text("type");
  model.device = fields.text("device");
  model.dtype = fields.text("dtype");
  model.vae_dtype = fields.text("vae_dtype");
  model.vae_scale_factor = fields.small_integer("vae_scale_factor", 1, 1024);
  model.latent_channels = fields.small_integer("latent_channels", 1, 1024);
  model.prompt_token_limit = fields.small_integer("prompt_token_limit", 1);
  model.max_clip_skip = fields.small_integer("max_clip_skip");
  model.guidance_embedded = fields.boolean("guidance_embedded");
  model.max_pictures = fields.small_integer("max_pictures", 1, 1024);
  model.steps = fields.small_integer("steps", 1);
  model.guidance_scale = fields.number("guidance_scale");
  model.width_px = fields.small_integer("width", 1, kMostSidePx);
  model.height_px = fields.small_integer("height", 1, kMostSidePx);
  model.scheduler = fields.text("scheduler");
  model.negative_prompt = fields.optional_text("negative_prompt");
  model.schedulers = schedulers_from(fields);
  model.libtorch_version = fields.text("libtorch_version");
  model.cuda_version = fields.text("cuda_version");
  fields.expect_end();
  return model;
}

std::string to_text(const GeneratedImage& result) {
  std::vector<std::string> codes, messages;
  for (const Warning& each : result.warnings) {
    codes.push_back(each.code);
    messages.push_back(each.message);
  }
  return FlatObjectWriter(FlatObjectWriter::BadText::Replace)
      .integer("width", result.image.width_px)
      .integer("height", result.image.height_px)
      .unsigned_integer("seed", result.seed)
      .integer("prompt_tokens", result.prompt_tokens)
      .integer("prompt_token_limit", result.prompt_token_limit)
      .texts("warning_codes", codes)
      .texts("warning_messages", messages)
      .number("text_encoder_ms", result.timings.text_encoder_ms)
      .number("denoise_ms", result.timings.denoise_ms)
      .number("vae_ms", result.timings.vae_ms)
      .take();
}

Image image_from(FlatObjectReader& fields, std::vector<std::uint8_t> bytes) {
  Image image;
  image.width_px = fields.small_integer("width", 1, kMostSidePx);
  image.height_px = fields.small_integer("height", 1, kMostSidePx);
  const std::size_t want = std::size_t{3} * image.width_px * image.height_px;
  if (bytes.size() != want) {
    refuse("a picture of this size has " + std::to_string(want) + " bytes, got " +
           std::to_string(bytes.size()));
  }
  image.rgb = std::move(bytes);
  return image;
}

GeneratedImage result_from(Frame frame) {
  FlatObjectReader fields(frame.json);
  GeneratedImage result;
  result.image = image_from(fields, std::move(frame.bytes));
  result.seed = fields.unsigned_integer("seed");
  result.prompt_tokens = fields.small_integer("prompt_tokens");
  result.prompt_token_limit = fields.small_integer("prompt_token_limit");
  std::vector<std::string> codes = fields.texts("warning_codes");
  std::vector<std::string> messages = fields.texts("warning_messages");
  if (codes.size() != messages.size()) refuse("the lists of warnings differ in length");
  for (std::size_t i = 0; i < codes.size(); ++i) {
    result.warnings.push_back({std::move(codes[i]), std::move(messages[i])});
  }
  result.timings.text_encoder_ms = fields.duration_ms("text_encoder_ms");
  result.timings.denoise_ms = fields.duration_ms("denoise_ms");
  result.timings.vae_ms = fields.duration_ms("vae_ms");
  fields.expect_end();
  return result;
}

ProgressMessage progress_from(const Frame& frame) {
  FlatObjectReader fields(frame.json);
  ProgressMessage message;
  message.id = frame.picture;
  message.progress.step = fields.small_integer("step");
  message.progress.steps = fields.small_integer("steps");
  message.unit_ms = fields.duration_ms("unit_ms");
  message.unit_pictures = fields.small_integer("unit_pictures", 1, 1024);
  message.leads_unit = fields.boolean("leads_unit");
  fields.expect_end();
  return message;
}

PreviewMessage preview_from(Frame frame) {
  FlatObjectReader fields(frame.json);
  PreviewMessage message;
  message.id = frame.picture;
  message.preview.image = image_from(fields, std::move(frame.bytes));
  message.preview.step = fields.small_integer("step");
  message.preview.steps = fields.small_integer("steps");
  fields.expect_end();
  return message;
}

/// What a worker may say: not what is the edge's or the queue's to say.
bool is_of_a_worker(ErrorCode code) {
  return code == ErrorCode::InvalidValue || code == ErrorCode::OutOfMemory ||
         code >= ErrorCode::InternalError;
}

/// The code and the message of a FailedMessage or a FatalMessage.
std::pair<ErrorCode, std::string> fault_from(const Frame& frame) {
  FlatObjectReader fields(frame.json);
  const std::string name = fields.text("code");
  std::string message = fields.text("message");
  fields.expect_end();
  std::optional<ErrorCode> code;
  try {
    code = error_code_of(name);
  } catch (const Error&) {
    refuse("no error has the name " + name);
  }
  if (!is_of_a_worker(*code)) refuse("a worker does not fail with " + name);
  return {*code, std::move(message)};
}

std::string fault_text(ErrorCode code, const std::string& message) {
  return FlatObjectWriter(FlatObjectWriter::BadText::Replace)
      .text("code", name_of(code))
      .text("message", message)
      .take();
}

struct Encoder {
  Frame operator()(ReadyMessage& message) const {
    return {FrameType::Ready, 0, to_text(message.model), {}};
  }
  Frame operator()(TickMessage&) const { return {FrameType::Tick, 0, "{}", {}}; }
  Frame operator()(ProgressMessage& message) const {
    return {FrameType::Progress,
            message.id,
            FlatObjectWriter()
                .integer("step", message.progress.step)
                .integer("steps", message.progress.steps)
                .number("unit_ms", message.unit_ms)
                .integer("unit_pictures", message.unit_pictures)
                .boolean("leads_unit", message.leads_unit)
                .take(),
            {}};
  }
  Frame operator()(PreviewMessage& message) const {
    Image& image = message.preview.image;
    return {FrameType::Preview, message.id,
            FlatObjectWriter()
                .integer("width", image.width_px)
                .integer("height", image.height_px)
                .integer("step", message.preview.step)
                .integer("steps", message.preview.steps)
                .take(),
            std::move(image.rgb)};
  }
  Frame operator()(FinishedMessage& message) const {
    std::string text = to_text(message.result);
    return {FrameType::Finished, message.id, std::move(text), std::move(message.result.image.rgb)};
  }
  Frame operator()(FailedMessage& message) const {
    return {FrameType::Failed, message.id, fault_text(message.code, message.message), {}};
  }
  Frame operator()(FatalMessage& message) const {
    return {FrameType::Fatal, 0, fault_text(message.code, message.message), {}};
  }
};

bool may_carry_bytes(FrameType type) {
  return type == FrameType::Preview || type == FrameType::Finished;
}

bool is_of_no_picture(FrameType type) {
  return type == FrameType::Ready || type == FrameType::Tick || type == FrameType::Fatal;
}

}  // namespace

Frame encode(WorkerMessage message) { return std::visit(Encoder{}, message); }

WorkerMessage decode_worker_message(Frame frame) {
  if (!frame.bytes.empty() && !may_carry_bytes(frame.type)) refuse("it carries bytes");
  if (frame.picture != 0 && is_of_no_picture(frame.type)) refuse("it names a picture");
  const PictureId id = frame.picture;
  switch (frame.type) {
    case FrameType::Ready:
      return ReadyMessage{model_from(frame.json)};
    case FrameType::Tick:
      FlatObjectReader(frame.json).expect_end();
      return TickMessage{};
    case FrameType::Progress:
      return progress_from(frame);
    case FrameType::Preview:
      return preview_from(std::move(frame));
    case FrameType::Finished:
      return FinishedMessage{id, result_from(std::move(frame))};
    case FrameType::Failed: {
      auto [code, message] = fault_from(frame);
      return FailedMessage{id, code, std::move(message)};
    }
    case FrameType::Fatal: {
      auto [code, message] = fault_from(frame);
      return FatalMessage{code, std::move(message)};
    }
    case FrameType::Admit:
    case FrameType::Cancel:
    case FrameType::Finish:
    case FrameType::Stop:
      break;
  }
  refuse("it is a server's message");
}

}  // namespace ssd1b
