#include "service/dialects/openai.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include "service/dialects/accept.h"
#include "service/dialects/dialect.h"
#include "service/dialects/field_reader.h"
#include "service/dialects/model_names.h"
#include "service/dialects/picture_fields.h"
#include "service/dialects/reply_parts.h"
#include "service/image_files/base64.h"
#include "ssd1b/request_limits.h"

namespace ssd1b {
namespace {

struct Size {
  int width_px;
  int height_px;
};

/// The digits of one side; nullopt where there is anything else.
std::optional<int> read_digits(const std::string& text) {
  if (text.empty() || text.size() > 5 ||
      text.find_first_not_of("0123456789") != std::string::npos) {
    return std::nullopt;
  }
  return std::stoi(text);
}

Size read_size(const FieldReader& fields, const ModelInfo& model, const RequestRules& rules) {
  const std::string text = fields.text("size").value_or("auto");
  if (text == "auto") return {model.width_px, model.height_px};
  const std::size_t x = text.find('x');
  const std::optional<int> width = read_digits(text.substr(0, x));
  const std::optional<int> height = read_digits(x == std::string::npos ? "" : text.substr(x + 1));
  const auto is_side = [&](const std::optional<int>& side) {
    return side && *side >= kMinSidePx && *side <= kMaxSidePx &&
           *side % model.vae_scale_factor == 0;
  };
  if (!is_side(width) || !is_side(height)) {
    throw fields.invalid("size", "auto or WIDTHxHEIGHT, each a multiple of " +
                                     std::to_string(model.vae_scale_factor) + " between " +
                                     std::to_string(kMinSidePx) + " and " +
                                     std::to_string(kMaxSidePx));
  }
  check_pixels(*width, *height, fields.name("size"), rules);
  return {*width, *height};
}

std::string read_effort(const FieldReader& fields) {
  const std::string quality =
      fields.choice("quality", {"auto", "standard", "low", "medium", "high", "hd"})
          .value_or("auto");
  if (quality == "hd") return "high";
  return quality == "standard" ? "medium" : quality;
}

/// `quality` is how many steps are worth it: the model's default is medium.
double steps_factor(const std::string& effort) {
  if (effort == "low") return 0.6;
  return effort == "high" ? 1.6 : 1.0;
}

/// Whether the reply is streamed, and with how many previews.
void read_streaming(const FieldReader& fields, ImageRequest& request) {
  request.is_streamed = fields.boolean("stream").value_or(false);
  const auto previews = fields.integer("partial_images", 0, kMaxPreviews).value_or(0);
  if (!request.is_streamed) {
    if (previews == 0) return;
    throw fields.invalid("partial_images", "0 or absent without stream");
  }
  if (request.pictures.size() > 1) throw fields.invalid("num_images", "1 with stream");
  if (request.reply == ReplyKind::JsonLinks) {
    throw fields.invalid("response_format", "b64_json or absent with stream");
  }
  request.pictures.front().previews = static_cast<int>(previews);
}

/// What is accepted for the sake of clients and changes nothing here.
void check_ignored(const FieldReader& fields) {
  fields.choice("style", {"vivid", "natural"});
  fields.choice("moderation", {"auto", "low"});
  fields.text("user");
  fields.text("safety_identifier");
  if (fields.choice("background", {"auto", "opaque", "transparent"}) == "transparent") {
    throw fields.invalid("background", "auto or opaque: pictures have no transparency");
  }
}

int read_compression(const FieldReader& fields, ImageFormat format) {
  const auto compression = fields.integer("output_compression", 0, kMaxQuality);
  if (compression && *compression != kMaxQuality && format == ImageFormat::Png) {
    throw fields.invalid("output_compression", "100 or absent for png, which loses nothing");
  }
  return std::max(1, static_cast<int>(compression.value_or(kMaxQuality)));
}

}  // namespace

const FieldNames& openai_fields() {
  constexpr bool kNullIsAbsent = true;
  static const FieldNames kFields = {{{"prompt", {"prompt"}},
                                      {"model", {"model"}, kNullIsAbsent},
                                      {"num_images", {"n"}, kNullIsAbsent},
                                      {"size", {"size"}, kNullIsAbsent},
                                      {"quality", {"quality"}, kNullIsAbsent},
                                      {"response_format", {"response_format"}, kNullIsAbsent},
                                      {"output_format", {"output_format"}, kNullIsAbsent},
                                      {"output_compression", {"output_compression"}, kNullIsAbsent},
                                      {"background", {"background"}, kNullIsAbsent},
                                      {"moderation", {"moderation"}, kNullIsAbsent},
                                      {"style", {"style"}, kNullIsAbsent},
                                      {"user", {"user"}, kNullIsAbsent},
                                      {"safety_identifier", {"safety_identifier"}, kNullIsAbsent},
                                      {"stream", {"stream"}, kNullIsAbsent},
                                      {"partial_images", {"partial_images"}, kNullIsAbsent},
                                      {"negative_prompt", {"negative_prompt"}},
                                      {"steps", {"num_inference_steps"}},
                                      {"guidance_scale", {"guidance_scale"}},
                                      {"seed", {"seed"}},
                                      {"scheduler", {"scheduler"}}}};
  return kFields;
}

ImageRequest parse_openai(const Json& body, const RequestContext& context, const ModelInfo& model,
                          const RequestRules& rules) {
  const FieldReader fields(body, openai_fields(), context.body);
  if (const auto name = fields.text("model")) {
    check_model_name(*name, fields.name("model"), rules);
  }
  check_ignored(fields);

  const Size size = read_size(fields, model, rules);
  GenerationRequest defaults = default_request(model);
  defaults.width_px = size.width_px;
  defaults.height_px = size.height_px;
  const std::string effort = read_effort(fields);
  const double steps = std::round(steps_factor(effort) * model.steps);
  defaults.steps = std::clamp(static_cast<int>(steps), 1, kMaxSteps);

  ImageRequest request = read_pictures(fields, defaults, model, rules);
  request.effort = effort;
  const std::string reply =
      fields.choice("response_format", {"b64_json", "url"}).value_or("b64_json");
  request.reply = reply == "url" ? ReplyKind::JsonLinks : ReplyKind::JsonText;
  request.format = read_output_format(fields).value_or(ImageFormat::Png);
  request.quality = read_compression(fields, request.format);
  read_streaming(fields, request);
  const AcceptHeader accept(context.accept);
  if (!request.is_streamed || !accept.names("text/event-stream")) {
    choose_reply(accept, request.reply, request.format);
  }
  return request;
}

std::string size_text(const GenerationRequest& picture) {
  return std::to_string(picture.width_px) + "x" + std::to_string(picture.height_px);
}

Json openai_reply(const ImageRequest& request, const PictureReply& reply) {
  Json data = Json::array();
  for (const PictureFile& file : reply.files) {
    if (request.reply == ReplyKind::JsonLinks) {
      data.push_back({{"url", file.url}, {"seed", file.seed}});
    } else {
      data.push_back({{"b64_json", base64_of(file.bytes)}, {"seed", file.seed}});
    }
  }
  return {{"created", reply.created_at_s},
          {"data", std::move(data)},
          {"model", reply.model},
          {"background", "opaque"},
          {"output_format", name_of(request.format)},
          {"size", size_text(request.pictures.front())},
          {"timings_ms", timings_json(reply.timings)},
          {"warnings", warnings_json(reply.warnings)}};
}

Json openai_event(const ImageRequest& request, const PictureReply& reply,
                  std::optional<int> preview) {
  Json event = {{"type", preview ? "image_generation.partial_image" : "image_generation.completed"},
                {"b64_json", base64_of(reply.files.front().bytes)},
                {"created_at", reply.created_at_s},
                {"size", size_text(request.pictures.front())},
                {"quality", request.effort},
                {"background", "opaque"},
                {"output_format", name_of(request.format)}};
  if (preview) {
    event["partial_image_index"] = *preview;
    return event;
  }
  event["usage"] = {
      {"input_tokens", reply.prompt_tokens},
      {"input_tokens_details", {{"text_tokens", reply.prompt_tokens}, {"image_tokens", 0}}},
      {"output_tokens", 0},
      {"total_tokens", reply.prompt_tokens}};
  event["seed"] = reply.files.front().seed;
  event["model"] = reply.model;
  event["timings_ms"] = timings_json(reply.timings);
  event["warnings"] = warnings_json(reply.warnings);
  return event;
}

const Dialect& openai_dialect() {
  static const Dialect kDialect = {parse_openai, openai_reply, openai_event};
  return kDialect;
}

}  // namespace ssd1b
