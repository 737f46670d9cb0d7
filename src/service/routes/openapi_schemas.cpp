#include <algorithm>
#include <limits>
#include <string>

#include "service/dialects/hugging_face.h"
#include "service/dialects/native.h"
#include "service/dialects/openai.h"
#include "service/dialects/picture_fields.h"
#include "service/dialects/segmind.h"
#include "service/routes/openapi.h"
#include "ssd1b/request_limits.h"

namespace ssd1b {
namespace {

// JSON Schema counts characters where the service counts bytes of UTF-8: that is in the
// description.
constexpr const char* kPromptPattern = "^[^\\u0000-\\u0008\\u000b-\\u001f\\u007f-\\u009f]*$";
constexpr int kMaxClipSkip = 30;

Json type(const char* name) { return {{"type", name}}; }

template <typename Number>
Json number(const char* name, Number minimum, Number maximum) {
  return {{"type", name}, {"minimum", minimum}, {"maximum", maximum}};
}

Json choice(std::initializer_list<const char*> values) {
  Json list = Json::array();
  for (const char* each : values) list.push_back(each);
  return {{"type", "string"}, {"enum", list}};
}

Json nullable(const Json& schema) { return {{"anyOf", {schema, type("null")}}}; }

Json described(Json schema, const char* description) {
  schema["description"] = description;
  return schema;
}

Json prompt_schema(int min_length) {
  return {
      {"type", "string"},
      {"minLength", min_length},
      {"maxLength", kMaxPromptBytes},
      {"pattern", kPromptPattern},
      {"description", "At most 4096 bytes of UTF-8; no control characters but tab and newline."}};
}

Json side_schema(const ModelInfo* model) {
  Json schema = number("integer", kMinSidePx, kMaxSidePx);
  schema["multipleOf"] = model ? model->vae_scale_factor : 8;
  return schema;
}

Json scheduler_schema(const ModelInfo* model) {
  Json schema = described(type("string"), "A name of /v1/models, or the diffusers class's.");
  if (!model) return schema;
  Json names = Json::array();
  for (const SchedulerInfo& each : model->schedulers) {
    for (const std::string& name : {each.name, each.class_name}) {
      if (std::find(names.begin(), names.end(), Json(name)) == names.end()) names.push_back(name);
    }
  }
  schema["enum"] = names;
  return schema;
}

/// The schemas of all fields, by the id that the dialects share.
Json field_schemas(const RequestRules& rules, const ModelInfo* model) {
  const Json conditioning = number("integer", 0, kMaxConditioningPx);
  const Json seed = number<Json>("integer", -1, std::numeric_limits<std::uint64_t>::max());
  return {{"prompt", prompt_schema(1)},
          {"negative_prompt", nullable(prompt_schema(0))},
          {"width", side_schema(model)},
          {"height", side_schema(model)},
          {"steps", number("integer", 1, kMaxSteps)},
          {"guidance_scale", number("number", 0.0, kMaxGuidanceScale)},
          {"seed", described(nullable(seed), "-1 and null: a random one.")},
          {"scheduler", scheduler_schema(model)},
          {"num_images", number("integer", 1, rules.max_images)},
          {"response_format", choice({"image", "b64_json"})},
          {"output_format", choice({"png", "jpeg", "webp"})},
          {"quality", described(number("integer", 1, kMaxQuality), "Of jpeg and webp only.")},
          {"timeout_ms", number<std::int64_t>("integer", 1, rules.request_timeout.count())},
          {"original_width", conditioning},
          {"original_height", conditioning},
          {"target_width", conditioning},
          {"target_height", conditioning},
          {"crop_top", conditioning},
          {"crop_left", conditioning},
          {"clip_skip", number("integer", 0, model ? model->max_clip_skip : kMaxClipSkip)},
          {"embed_metadata", type("boolean")},
          {"previews", described(number("integer", 0, kMaxPreviews), "Shown as events.")},
          {"base64", type("boolean")}};
}

/// Fields of OpenAI's that have a meaning of their own there.
Json openai_schemas(const RequestRules& rules) {
  const char* ignored = "Accepted for compatibility; changes nothing.";
  Json model_name = described(type("string"), "A name of /v1/models.");
  if (!rules.takes_openai_names) model_name["enum"] = rules.model_names;
  return {{"model", model_name},
          {"size", {{"type", "string"}, {"pattern", "^(auto|[0-9]{2,4}x[0-9]{2,4})$"}}},
          {"quality", described(choice({"auto", "standard", "low", "medium", "high", "hd"}),
                                "0.6, 1 or 1.6 times the default steps.")},
          {"response_format", choice({"b64_json", "url"})},
          {"output_compression", number("integer", 0, kMaxQuality)},
          {"background", choice({"auto", "opaque"})},
          {"moderation", described(choice({"auto", "low"}), ignored)},
          {"style", described(choice({"vivid", "natural"}), ignored)},
          {"user", described(type("string"), ignored)},
          {"safety_identifier", described(type("string"), ignored)},
          {"stream", described(type("boolean"),
                               "Server-sent events; true only with one picture and b64_json.")},
          {"partial_images", described(number("integer", 0, kMaxPreviews),
                                       "Previews; more than 0 only with stream.")}};
}

/// The schema of an object with these fields: every name of each, no other names, no two names of
/// one.
Json object_schema(const FieldNames& names, const Json& schemas) {
  Json properties = Json::object();
  Json one_name_each = Json::array();
  for (const Field& field : names.known) {
    const Json& schema = schemas.at(field.id);
    for (const std::string& name : field.names) {
      properties[name] = field.null_is_absent ? nullable(schema) : schema;
    }
    for (std::size_t i = 0; i < field.names.size(); ++i) {
      for (std::size_t k = i + 1; k < field.names.size(); ++k) {
        one_name_each.push_back({{"not", {{"required", {field.names[i], field.names[k]}}}}});
      }
    }
  }
  Json object = {{"type", "object"}, {"properties", properties}, {"additionalProperties", false}};
  if (!one_name_each.empty()) object["allOf"] = one_name_each;
  return object;
}

Json object_of(const Json& properties, std::initializer_list<const char*> required) {
  Json names = Json::array();
  for (const char* each : required) names.push_back(each);
  return {{"type", "object"}, {"properties", properties}, {"required", names}};
}

Json list_of(const Json& items) { return {{"type", "array"}, {"items", items}}; }

Json error_schema() {
  const Json error = object_of({{"message", type("string")},
                                {"type", type("string")},
                                {"param", nullable(type("string"))},
                                {"code", type("string")},
                                {"request_id", type("string")}},
                               {"message", "type", "param", "code", "request_id"});
  return object_of({{"error", error}}, {"error"});
}

Json timings_schema() {
  Json properties = Json::object();
  for (const char* stage : {"queue", "text_encoder", "denoise", "vae", "encode"}) {
    properties[stage] = type("number");
  }
  return object_of(properties, {"queue", "text_encoder", "denoise", "vae", "encode"});
}

Json job_schema() {
  const Json error = error_schema()["properties"]["error"];
  const Json time = described(nullable(type("number")), "Seconds since 1970.");
  return object_of({{"id", type("string")},
                    {"status", choice({"queued", "running", "succeeded", "failed", "cancelled"})},
                    {"created_at", time},
                    {"started_at", time},
                    {"finished_at", time},
                    {"position", nullable(type("integer"))},
                    {"eta_ms", nullable(type("integer"))},
                    {"step", type("integer")},
                    {"steps", type("integer")},
                    {"request", type("object")},
                    {"error", described(nullable(error),
                                        "As of an Error; its code is cancelled where the job "
                                        "was.")}},
                   {"id", "status", "created_at", "started_at", "finished_at", "position", "eta_ms",
                    "step", "steps", "request", "error"});
}

Json reply_schemas() {
  const Json warning =
      object_of({{"code", type("string")}, {"message", type("string")}}, {"code", "message"});
  const Json image =
      object_of({{"b64_json", type("string")}, {"seed", type("integer")}}, {"b64_json", "seed"});
  const Json data = object_of({{"b64_json", type("string")},
                               {"url", {{"type", "string"}, {"format", "uri"}}},
                               {"seed", type("integer")}},
                              {"seed"});
  const Json model = object_of({{"id", type("string")},
                                {"object", {{"const", "model"}}},
                                {"created", type("integer")},
                                {"owned_by", type("string")},
                                {"type", type("string")},
                                {"defaults", type("object")},
                                {"limits", type("object")},
                                {"schedulers", list_of(type("string"))},
                                {"dtype", type("string")},
                                {"device", type("string")}},
                               {"id", "object", "created", "owned_by", "type", "defaults", "limits",
                                "schedulers", "dtype", "device"});
  return {
      {"Error", error_schema()},
      {"Images", object_of({{"created", type("integer")},
                            {"model", type("string")},
                            {"images", list_of(image)},
                            {"timings_ms", timings_schema()},
                            {"prompt_tokens", type("integer")},
                            {"prompt_token_limit", type("integer")},
                            {"warnings", list_of(warning)}},
                           {"created", "model", "images", "timings_ms", "prompt_tokens",
                            "prompt_token_limit", "warnings"})},
      {"OpenAiImages",
       object_of({{"created", type("integer")}, {"data", list_of(data)}}, {"created", "data"})},
      {"SegmindImage",
       object_of({{"image", {{"anyOf", {type("string"), list_of(type("string"))}}}}}, {"image"})},
      {"Model", model},
      {"Models",
       object_of({{"object", {{"const", "list"}}}, {"data", list_of(model)}}, {"object", "data"})},
      {"Health",
       object_of({{"status", type("string")}, {"reason", type("string")}}, {"status", "reason"})},
      {"Version", object_of({{"version", type("string")},
                             {"commit", type("string")},
                             {"libtorch", nullable(type("string"))},
                             {"cuda", nullable(type("string"))}},
                            {"version", "commit", "libtorch", "cuda"})},
      {"Job", job_schema()}};
}

}  // namespace

Json openapi_schemas(const RequestRules& rules, const ModelInfo* model) {
  const Json fields = field_schemas(rules, model);
  Json openai = fields;
  openai.update(openai_schemas(rules));
  Json hugging_face = fields;
  hugging_face["parameters"] = object_schema(hugging_face_parameters(), fields);

  Json schemas = reply_schemas();
  schemas["GenerateRequest"] = object_schema(native_fields(), fields);
  schemas["JobRequest"] = object_schema(job_fields(), fields);
  for (const char* each : {"GenerateRequest", "JobRequest"}) {
    schemas[each]["oneOf"] = {{{"required", Json::array({"prompt"})}},
                              {{"required", Json::array({"text"})}}};
  }
  schemas["OpenAiRequest"] = object_schema(openai_fields(), openai);
  schemas["OpenAiRequest"]["required"] = Json::array({"prompt"});
  schemas["HuggingFaceRequest"] = object_schema(hugging_face_fields(), hugging_face);
  schemas["HuggingFaceRequest"]["required"] = Json::array({"inputs"});
  Json segmind = fields;
  Json number_as_text = described(type("string"), "The number as text.");
  number_as_text["pattern"] = R"(^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?$)";
  for (const char* each : {"num_images", "steps", "guidance_scale", "seed", "width", "height"}) {
    segmind[each] = {{"anyOf", {fields[each], number_as_text}}};
  }
  segmind["scheduler"] = described(type("string"), "Segmind's name, or one of /v1/models.");
  schemas["SegmindRequest"] = object_schema(segmind_fields(), segmind);
  schemas["SegmindRequest"]["required"] = Json::array({"prompt"});
  schemas.update(automatic1111_schemas(fields, rules, model));
  return schemas;
}

}  // namespace ssd1b
