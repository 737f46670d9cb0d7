#include "service/dialects/automatic1111.h"
#include "service/dialects/picture_fields.h"
#include "service/routes/openapi.h"

namespace ssd1b {
namespace {

Json type(const char* name) { return {{"type", name}}; }

Json nullable(const char* name) { return {{"type", {name, "null"}}}; }

Json object_of(const Json& properties) {
  Json names = Json::array();
  for (const auto& [name, schema] : properties.items()) names.push_back(name);
  return {{"type", "object"}, {"properties", properties}, {"required", names}};
}

Json list_of(const Json& items) { return {{"type", "array"}, {"items", items}}; }

Json described(Json schema, const char* description) {
  schema["description"] = description;
  return schema;
}

Json with_null(const Json& schema) { return {{"anyOf", {schema, type("null")}}}; }

Json settings_schema(const ModelInfo* model) {
  Json stop = {{"type", "integer"}, {"minimum", 1}};
  if (model) stop["maximum"] = model->max_clip_skip + 2;
  const Json quality = {{"type", "integer"}, {"minimum", 1}, {"maximum", kMaxQuality}};
  Json properties = {{"sd_model_checkpoint",
                      described(type("string"), "A name of /sdapi/v1/sd-models, or empty.")},
                     {"sd_vae", {{"enum", {"", "Automatic", "None"}}}},
                     {"CLIP_stop_at_last_layers", stop},
                     {"samples_format", described(type("string"), "png, jpg, jpeg or webp.")},
                     {"jpeg_quality", quality},
                     {"tiling", {{"const", false}}},
                     {"face_restoration", {{"const", false}}},
                     {"eta_ancestral", {{"const", 1}}},
                     {"eta_ddim", {{"const", 0}}},
                     {"s_churn", {{"const", 0}}}};
  for (Json& each : properties) each = with_null(each);
  return {{"type", "object"}, {"properties", properties}, {"description", "Others are ignored."}};
}

/// Fields of txt2img that have a meaning of their own there, by their ids. Those of what is not
/// there may only say that it is off.
Json own_fields(const RequestRules& rules, const ModelInfo* model) {
  Json all = {{"n_iter", {{"type", "integer"}, {"minimum", 1}, {"maximum", rules.max_images}}},
              {"scheduler", described(type("string"),
                                      "A name of /sdapi/v1/samplers in any case, old ones as DPM++ "
                                      "2M Karras too, or of /v1/models.")},
              {"schedule", described(type("string"), "A name of /sdapi/v1/schedulers.")},
              {"override_settings", settings_schema(model)},
              {"send_images", type("boolean")},
              {"styles", list_of({{"enum", {"", "None", nullptr}}})},
              {"alwayson_scripts", described(type("object"), "Only scripts that are off.")},
              {"eta", described({{"type", "number"}, {"minimum", 0}}, "Only the sampler's own.")}};
  all["n_iter"]["description"] = "Times batch_size: the number of pictures.";
  all["sampler_index"] = all["scheduler"];
  for (const char* each : {"enable_hr", "tiling", "restore_faces"}) all[each] = {{"const", false}};
  for (const char* each : {"refiner_checkpoint", "script_name", "infotext"}) {
    all[each] = {{"enum", {"", "None"}}};
  }
  for (const char* each : {"s_churn", "s_noise"}) all[each] = all["eta"];
  for (const char* each : {"subseed_strength", "s_min_uncond"}) {
    all[each] = {{"type", "number"}, {"maximum", 0}};
  }
  for (const char* each : {"seed_resize_from_w", "seed_resize_from_h"}) {
    all[each] = {{"type", "integer"}, {"maximum", 0}};
  }
  return all;
}

Json request_schema(Json fields, const RequestRules& rules, const ModelInfo* model) {
  fields.update(own_fields(rules, model));
  Json properties = Json::object();
  for (const Field& field : automatic1111_fields().known) {
    const Json& schema = fields.at(field.id);
    for (const std::string& name : field.names) {
      // The prompt must be there, so it is no null.
      const bool may_be_null = field.null_is_absent && field.id != "prompt";
      properties[name] = may_be_null ? with_null(schema) : schema;
    }
  }
  return {{"type", "object"},
          {"properties", properties},
          {"required", Json::array({"prompt"})},
          {"description", "Other fields of Automatic1111's are ignored."}};
}

Json progress_schema() {
  const Json state = object_of({{"skipped", type("boolean")},
                                {"interrupted", type("boolean")},
                                {"job", type("string")},
                                {"job_count", type("integer")},
                                {"job_timestamp", type("string")},
                                {"job_no", type("integer")},
                                {"sampling_step", type("integer")},
                                {"sampling_steps", type("integer")},
                                {"stopping_generation", type("boolean")}});
  return object_of({{"progress", {{"type", "number"}, {"minimum", 0}, {"maximum", 1}}},
                    {"eta_relative", type("number")},
                    {"state", state},
                    {"current_image", type("null")},
                    {"textinfo", type("null")}});
}

}  // namespace

Json automatic1111_schemas(const Json& fields, const RequestRules& rules, const ModelInfo* model) {
  const Json name = type("string");
  return {
      {"Txt2ImgRequest", request_schema(fields, rules, model)},
      {"Txt2Img", object_of({{"images", list_of(name)},
                             {"parameters", type("object")},
                             {"info", {{"type", "string"}, {"description", "JSON."}}}})},
      {"EmptyObject", {{"type", "object"}, {"maxProperties", 0}}},
      {"Nothing", type("null")},
      {"A1111Options", type("object")},
      {"PngInfoRequest", object_of({{"image", name}})},
      {"PngInfo",
       object_of({{"info", name}, {"items", type("object")}, {"parameters", type("object")}})},
      {"Progress", progress_schema()},
      {"SdModels", list_of(object_of({{"title", name},
                                      {"model_name", name},
                                      {"hash", nullable("string")},
                                      {"sha256", nullable("string")},
                                      {"filename", name},
                                      {"config", nullable("string")}}))},
      {"Samplers", list_of(object_of(
                       {{"name", name}, {"aliases", list_of(name)}, {"options", type("object")}}))},
      {"Schedulers", list_of(object_of({{"name", name},
                                        {"label", name},
                                        {"aliases", nullable("array")},
                                        {"default_rho", type("number")},
                                        {"need_inner_model", type("boolean")}}))},
      {"Memory", object_of({{"ram", type("object")}, {"cuda", type("object")}})},
      {"Loras", {{"type", "array"}, {"maxItems", 0}}},
      {"Upscalers", list_of(object_of({{"name", name}}))},
      {"CmdFlags", type("object")}};
}

}  // namespace ssd1b
