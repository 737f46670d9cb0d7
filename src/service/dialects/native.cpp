#include "service/dialects/native.h"

#include "service/dialects/accept.h"
#include "service/dialects/picture_fields.h"
#include "service/dialects/reply_parts.h"
#include "service/image_files/base64.h"
#include "ssd1b/request_limits.h"

namespace ssd1b {
namespace {

std::optional<ReplyKind> read_kind(const FieldReader& fields) {
  const auto name = fields.choice("response_format", {"image", "b64_json"});
  if (!name) return std::nullopt;
  return *name == "image" ? ReplyKind::Bytes : ReplyKind::JsonText;
}

FieldNames with_previews(FieldNames fields) {
  fields.known.push_back({"previews", {"previews"}});
  return fields;
}

ImageRequest read_native(const FieldReader& fields, const RequestContext& context,
                         const ModelInfo& model, const RequestRules& rules) {
  ImageRequest request = read_pictures(fields, default_request(model), model, rules);

  const auto kind = read_kind(fields);
  const auto format = read_output_format(fields);
  const auto quality = fields.integer("quality", 1, kMaxQuality);
  request.embed_metadata = fields.boolean("embed_metadata").value_or(false);
  request.timeout =
      std::chrono::milliseconds(fields.integer("timeout_ms", 1, rules.request_timeout.count())
                                    .value_or(rules.request_timeout.count()));

  const ReplyChoice choice = choose_reply(AcceptHeader(context.accept), kind, format);
  request.reply = choice.kind;
  request.format = choice.format;
  request.quality = static_cast<int>(quality.value_or(kDefaultQuality));
  if (quality && request.format == ImageFormat::Png) {
    throw fields.invalid("quality", "absent for png, which loses nothing");
  }
  if (request.pictures.size() > 1 && request.reply == ReplyKind::Bytes) {
    throw fields.invalid("num_images",
                         "1 where the reply is the image itself; for more ask for "
                         "JSON with response_format b64_json");
  }
  return request;
}

}  // namespace

const FieldNames& native_fields() {
  static const FieldNames kFields = {
      {{"prompt", {"prompt", "text"}},
       {"negative_prompt", {"negative_prompt"}},
       {"width", {"width"}},
       {"height", {"height"}},
       {"steps", {"steps", "num_inference_steps"}},
       {"guidance_scale", {"guidance_scale", "cfg_scale"}},
       {"seed", {"seed"}},
       {"scheduler", {"scheduler", "sampler"}},
       {"num_images", {"num_images", "n", "num_images_per_prompt"}},
       {"response_format", {"response_format"}},
       {"output_format", {"output_format"}},
       {"quality", {"quality"}},
       {"timeout_ms", {"timeout_ms"}},
       {"original_width", {"original_width"}},
       {"original_height", {"original_height"}},
       {"target_width", {"target_width"}},
       {"target_height", {"target_height"}},
       {"crop_top", {"crop_top"}},
       {"crop_left", {"crop_left"}},
       {"clip_skip", {"clip_skip"}},
       {"embed_metadata", {"embed_metadata"}}},
      {"image", "mask", "strength", "loras", "prompt_2", "negative_prompt_2", "model"}};
  return kFields;
}

const FieldNames& job_fields() {
  static const FieldNames kFields = with_previews(native_fields());
  return kFields;
}

ImageRequest parse_native(const Json& body, const RequestContext& context, const ModelInfo& model,
                          const RequestRules& rules) {
  return read_native(FieldReader(body, native_fields(), context.body), context, model, rules);
}

ImageRequest parse_job(const Json& body, const RequestContext& context, const ModelInfo& model,
                       const RequestRules& rules) {
  const FieldReader fields(body, job_fields(), context.body);
  ImageRequest request = read_native(fields, context, model, rules);
  const auto previews = fields.integer("previews", 0, kMaxPreviews).value_or(0);
  for (GenerationRequest& each : request.pictures) each.previews = static_cast<int>(previews);
  return request;
}

Json native_reply(const ImageRequest&, const PictureReply& reply) {
  Json images = Json::array();
  for (const PictureFile& file : reply.files) {
    images.push_back({{"b64_json", base64_of(file.bytes)}, {"seed", file.seed}});
  }
  return {{"created", reply.created_at_s},
          {"model", reply.model},
          {"images", std::move(images)},
          {"timings_ms", timings_json(reply.timings)},
          {"prompt_tokens", reply.prompt_tokens},
          {"prompt_token_limit", reply.prompt_token_limit},
          {"warnings", warnings_json(reply.warnings)}};
}

const Dialect& native_dialect() {
  static const Dialect kDialect = {parse_native, native_reply};
  return kDialect;
}

const Dialect& job_dialect() {
  static const Dialect kDialect = {parse_job, native_reply};
  return kDialect;
}

}  // namespace ssd1b
