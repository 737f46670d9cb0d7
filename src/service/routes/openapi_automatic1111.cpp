#include "service/dialects/automatic1111.h"
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

/// A field that is there for clients that send it: only what changes nothing is taken.
Json off(Json schema, const char* description) {
  schema["description"] = description;
  return schema;
}

/// Fields of txt2img that have a meaning of their own there, by their ids.
Json own_fields() {
  const char* flag = "true is not supported.";
  const char* empty = "Only empty, or None.";
  const char* zero = "Only 0.";
  Json all = {
      {"n_iter",
       {{"type", "integer"},
        {"minimum", 1},
        {"description", "Times batch_size: the number of pictures."}}},
      {"scheduler",
       {{"type", "string"}, {"description", "A name of /sdapi/v1/samplers or /v1/models."}}},
      {"schedule",
       {{"type", "string"}, {"description", "A name or label of /sdapi/v1/schedulers."}}},
      {"override_settings", type("object")},
      {"send_images", type("boolean")},
      {"styles", off(list_of(type("string")), empty)},
      {"alwayson_scripts", off(type("object"), "Only scripts that are off.")},
      {"eta", off(type("number"), "Only the sampler's own.")}};
  all["sampler_index"] = all["scheduler"];
  for (const char* each : {"enable_hr", "tiling", "restore_faces"}) {
    all[each] = off(type("boolean"), flag);
  }
  for (const char* each : {"refiner_checkpoint", "script_name", "infotext"}) {
    all[each] = off(type("string"), empty);
  }
  for (const char* each : {"subseed_strength", "s_churn", "s_min_uncond", "seed_resize_from_w",
                           "seed_resize_from_h"}) {
    all[each] = off(type("number"), zero);
  }
  return all;
}

Json request_schema(Json fields) {
  fields.update(own_fields());
  Json properties = Json::object();
  for (const Field& field : automatic1111_fields().known) {
    const Json& schema = fields.at(field.id);
    for (const std::string& name : field.names) {
      properties[name] = field.null_is_absent ? Json{{"anyOf", {schema, type("null")}}} : schema;
    }
  }
  return {{"type", "object"},
          {"properties", properties},
          {"required", {"prompt"}},
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
                                {"sampling_steps", type("integer")}});
  return object_of({{"progress", {{"type", "number"}, {"minimum", 0}, {"maximum", 1}}},
                    {"eta_relative", type("number")},
                    {"state", state},
                    {"current_image", type("null")},
                    {"textinfo", type("null")}});
}

}  // namespace

Json automatic1111_schemas(const Json& fields) {
  const Json name = type("string");
  return {
      {"Txt2ImgRequest", request_schema(fields)},
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
