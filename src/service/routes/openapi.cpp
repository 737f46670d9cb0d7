#include "service/routes/openapi.h"

#include <array>
#include <string>
#include <vector>

#include "service/routes/version.h"

namespace ssd1b {
namespace {

Json schema_ref(const std::string& name) { return {{"$ref", "#/components/schemas/" + name}}; }

Json json_content(const std::string& schema) {
  return {{"application/json", {{"schema", schema_ref(schema)}}}};
}

Json image_content(const std::vector<std::string>& formats) {
  Json content = Json::object();
  for (const std::string& format : formats) content["image/" + format] = Json::object();
  return content;
}

Json events_content(const char* events) {
  return {{"schema", {{"type", "string"}, {"description", events}}}};
}

Json error_ref(int status) {
  return {{"$ref", "#/components/responses/" + std::to_string(status)}};
}

Json answer(const std::string& description, const Json& content) {
  Json response = {{"description", description}};
  if (!content.empty()) response["content"] = content;
  return response;
}

/// What may be answered instead of `good` and only here; the edge's answers are added to all alike.
Json responses(const std::string& status, const Json& good, const std::vector<int>& errors) {
  Json all = {{status, good}};
  for (const int error : errors) all[std::to_string(error)] = error_ref(error);
  return all;
}

Json operation(const char* id, const char* summary, const Json& all_responses) {
  return {{"operationId", id}, {"summary", summary}, {"responses", all_responses}};
}

Json without_key(Json open) {
  open["security"] = Json::array();
  return open;
}

Json with_body(Json posted, const std::string& schema) {
  posted["requestBody"] = {{"required", true}, {"content", json_content(schema)}};
  return posted;
}

Json with_parameter(Json addressed, const std::string& name) {
  addressed["parameters"].push_back(
      {{"name", name}, {"in", "path"}, {"required", true}, {"schema", {{"type", "string"}}}});
  return addressed;
}

const std::vector<int>& picture_errors() {
  static const std::vector<int> kErrors = {406, 499, 500, 504};
  return kErrors;
}

Json picture_headers() {
  Json headers = Json::object();
  for (const char* name :
       {"X-Request-Id", "X-Seed", "X-Model", "X-Prompt-Tokens", "X-Warning", "Server-Timing"}) {
    headers[name] = {{"schema", {{"type", "string"}}}};
  }
  return headers;
}

Json picture_answer(const char* description, const Json& content) {
  Json response = answer(description, content);
  response["headers"] = picture_headers();
  return response;
}

Json all_formats_and(const std::string& schema) {
  Json content = image_content({"png", "jpeg", "webp"});
  content.update(json_content(schema));
  return content;
}

Json picture_paths() {
  const Json images = all_formats_and("Images");
  const Json generate = with_body(
      operation("generateImage", "A prompt becomes a picture",
                responses("200", picture_answer("The picture, or JSON", images), picture_errors())),
      "GenerateRequest");
  std::vector<int> errors = picture_errors();
  errors.push_back(404);
  Json openai_content = json_content("OpenAiImages");
  openai_content["text/event-stream"] = events_content(
      "image_generation.partial_image, image_generation.completed, and error where the picture "
      "failed; data is JSON");
  const Json openai = with_body(
      operation(
          "createImage", "OpenAI's shape",
          responses("200", picture_answer("JSON, or events with stream", openai_content), errors)),
      "OpenAiRequest");
  const Json bytes = picture_answer("The picture", image_content({"png", "jpeg", "webp"}));
  const Json root = with_body(
      operation("textToImage", "Hugging Face's shape", responses("200", bytes, picture_errors())),
      "HuggingFaceRequest");
  const Json page = without_key(
      operation("getPlayground", "The playground page",
                responses("200", answer("The page", {{"text/html", Json::object()}}), {})));
  const Json by_name = with_parameter(
      with_body(operation("textToImageByModel", "Hugging Face's shape; the name may hold slashes",
                          responses("200", bytes, errors)),
                "HuggingFaceRequest"),
      "name");
  Json segmind_content = image_content({"jpeg"});
  segmind_content.update(json_content("SegmindImage"));
  const Json segmind = with_body(
      operation(
          "segmindSsd1b", "Segmind's shape",
          responses("200", picture_answer("JPEG, or JSON", segmind_content), picture_errors())),
      "SegmindRequest");
  const Json content = with_parameter(
      operation(
          "getImageContent",
          "A picture that a url leads to; kept 10 minutes, the oldest of more than 1 GiB shorter",
          responses("200", answer("The picture", image_content({"png", "jpeg", "webp"})), {404})),
      "id");
  return {{"/generate-image", {{"post", generate}}},
          {"/v1/images/generations", {{"post", openai}}},
          {"/v1/images/{id}/content", {{"get", content}}},
          {"/", {{"get", page}, {"post", root}}},
          {"/models/{name}", {{"post", by_name}}},
          {"/v1/ssd-1b", {{"post", segmind}}}};
}

/// What says something of a service as Automatic1111 does.
Json automatic1111_get(const char* id, const char* summary, const char* schema) {
  return {
      {"get", operation(id, summary, responses("200", answer("JSON", json_content(schema)), {}))}};
}

Json automatic1111_paths() {
  const auto post = [](const char* id, const char* summary, const char* schema,
                       const std::vector<int>& errors) {
    return operation(id, summary, responses("200", answer("JSON", json_content(schema)), errors));
  };
  std::vector<int> errors = picture_errors();
  errors.push_back(404);
  const Json txt2img =
      with_body(post("txt2img", "Automatic1111's shape", "Txt2Img", errors), "Txt2ImgRequest");
  const Json interrupt = post("interrupt",
                              "Ends the caller's pictures at their next step, and answers "
                              "them as they are",
                              "EmptyObject", {});
  const Json skip = post("skip", "The same for those in the making alone", "Nothing", {});
  Json options = automatic1111_get("getOptions", "What is in force", "A1111Options");
  options["post"] = with_body(
      post("setOptions", "May set what is in force already", "Nothing", {404}), "A1111Options");
  const Json png_info =
      with_body(post("pngInfo", "The texts inside a PNG file", "PngInfo", {}), "PngInfoRequest");
  return {{"/sdapi/v1/txt2img", {{"post", txt2img}}},
          {"/sdapi/v1/interrupt", {{"post", interrupt}}},
          {"/sdapi/v1/skip", {{"post", skip}}},
          {"/sdapi/v1/options", options},
          {"/sdapi/v1/png-info", {{"post", png_info}}},
          {"/sdapi/v1/progress",
           automatic1111_get("getProgress", "How far the caller's pictures are", "Progress")},
          {"/sdapi/v1/sd-models", automatic1111_get("getSdModels", "The model", "SdModels")},
          {"/sdapi/v1/samplers", automatic1111_get("getSamplers", "The model's", "Samplers")},
          {"/sdapi/v1/schedulers",
           automatic1111_get("getSchedulers", "How noise levels are spaced", "Schedulers")},
          {"/sdapi/v1/memory", automatic1111_get("getMemory", "Bytes", "Memory")},
          {"/sdapi/v1/loras", automatic1111_get("getLoras", "None", "Loras")},
          {"/sdapi/v1/upscalers", automatic1111_get("getUpscalers", "None", "Upscalers")},
          {"/sdapi/v1/cmd-flags", automatic1111_get("getCmdFlags", "Flags", "CmdFlags")}};
}

Json job_paths() {
  const Json job = answer("The job", json_content("Job"));
  const Json post = with_body(operation("createJob", "Accepts the request and answers at once",
                                        responses("202", job, {406, 500, 504})),
                              "JobRequest");
  const Json get = operation("getJob", "How far it is", responses("200", job, {404}));
  const Json remove = operation("deleteJob", "Ends it, or forgets it where it has ended",
                                responses("204", answer("Done", {}), {404}));
  Json events = operation(
      "getJobEvents", "Server-sent events: queued, step, preview, succeeded, failed, cancelled",
      responses("200",
                answer("Events", {{"text/event-stream",
                                   events_content("data is JSON: of queued position and eta_ms, of "
                                                  "step also step and steps, of preview index, "
                                                  "step, steps, output_format and b64_json, of the "
                                                  "last one the job")}}),
                {404}));
  events["responses"]["204"] =
      answer("The last event was Last-Event-ID: there will be no more", {});
  const Json image =
      operation("getJobImage", "What /generate-image would have answered",
                responses("200", picture_answer("The picture, or JSON", all_formats_and("Images")),
                          {404, 409, 500, 504}));
  return {{"/v1/jobs", {{"post", post}}},
          {"/v1/jobs/{id}",
           {{"get", with_parameter(get, "id")}, {"delete", with_parameter(remove, "id")}}},
          {"/v1/jobs/{id}/events", {{"get", with_parameter(events, "id")}}},
          {"/v1/jobs/{id}/image", {{"get", with_parameter(image, "id")}}}};
}

Json state_paths() {
  Json paths = Json::object();
  const Json health = answer("It is so", json_content("Health"));
  const auto add = [&](const char* path, const Json& get) { paths[path] = {{"get", get}}; };
  add("/healthz", without_key(operation("getLive", "Live", responses("200", health, {}))));
  add("/ping", without_key(operation("ping", "Live", responses("200", health, {}))));
  add("/readyz", without_key(operation("getReady", "Ready", responses("200", health, {}))));
  add("/health", without_key(operation("getHealth", "Ready", responses("200", health, {}))));
  add("/version", operation("getVersion", "What this is",
                            responses("200", answer("Versions", json_content("Version")), {})));
  add("/v1/models", operation("listModels", "The model, its defaults and limits",
                              responses("200", answer("Models", json_content("Models")), {})));
  add("/v1/models/{name}",
      with_parameter(operation("getModel", "One of them",
                               responses("200", answer("The model", json_content("Model")), {404})),
                     "name"));
  add("/metrics",
      operation("getMetrics", "Prometheus text",
                responses("200", answer("Text", {{"text/plain", Json::object()}}), {})));
  add("/openapi.json",
      without_key(operation(
          "getOpenApi", "This document",
          responses("200", answer("OpenAPI 3.1", {{"application/json", Json::object()}}), {}))));
  return paths;
}

/// Which operations may answer an error.
enum class Of { Every, WithKey, WithBody, Some };

struct ErrorStatus {
  int status;
  Of operations;
  const char* description;
};

constexpr std::array<ErrorStatus, 17> kErrorStatuses = {{
    {400, Of::Every, "The client's mistake; the message says what must hold and what came"},
    {401, Of::WithKey, "No valid API key"},
    {404, Of::Some, "There is no such thing"},
    {406, Of::Some, "Accept names only things we cannot make"},
    {408, Of::Every, "The request came too slowly"},
    {409, Of::Some, "The job has not ended"},
    {413, Of::WithBody, "The body is over 256 KiB"},
    {414, Of::Every, "The target is over 8 KiB"},
    {415, Of::Every, "The body is not announced as JSON, or has a Content-Encoding"},
    {417, Of::Every, "Expect is another than 100-continue"},
    {429, Of::WithKey,
     "Too much waits already, or too much was asked with this key or with wrong ones from this "
     "address; Retry-After says when to come back"},
    {431, Of::Every, "The head is over 16 KiB or 64 fields"},
    {499, Of::Some, "The client closed its sending side before the reply: cancelled"},
    {500, Of::Some, "Our fault"},
    {503, Of::Every,
     "Not ready, out of memory or connections, or shutting down; Retry-After says when to come "
     "back"},
    {504, Of::Some, "Not done within the request's timeout"},
    {505, Of::Every, "The protocol is another than HTTP/1.0 and HTTP/1.1"},
}};

/// With what the edge may answer before the operation is asked.
Json with_edge_errors(Json asked, const std::string& method) {
  const bool needs_key = !asked.contains("security");
  for (const ErrorStatus& each : kErrorStatuses) {
    const bool is_added = each.operations == Of::Every ||
                          (each.operations == Of::WithKey && needs_key) ||
                          (each.operations == Of::WithBody && method != "get");
    if (is_added) asked["responses"][std::to_string(each.status)] = error_ref(each.status);
  }
  return asked;
}

Json error_responses() {
  Json all = Json::object();
  for (const ErrorStatus& each : kErrorStatuses) {
    Json response = answer(each.description, json_content("Error"));
    if (each.status == 429 || each.status == 503) {
      response["headers"] = {{"Retry-After", {{"schema", {{"type", "integer"}}}}}};
    }
    all[std::to_string(each.status)] = response;
  }
  return all;
}

}  // namespace

Json openapi_document(const RequestRules& rules, const ModelInfo* model) {
  Json paths = picture_paths();
  paths.update(automatic1111_paths());
  paths.update(job_paths());
  paths.update(state_paths());
  for (Json& path : paths) {
    for (const auto& [method, asked] : path.items()) asked = with_edge_errors(asked, method);
  }
  return {{"openapi", "3.1.0"},
          {"info",
           {{"title", "ssd1b-server"},
            {"version", version_document()["version"]},
            {"license", {{"name", "Apache-2.0"}, {"identifier", "Apache-2.0"}}}}},
          {"security", {{{"bearer", Json::array()}}, {{"apiKey", Json::array()}}}},
          {"paths", paths},
          {"components",
           {{"schemas", openapi_schemas(rules, model)},
            {"responses", error_responses()},
            {"securitySchemes",
             {{"bearer", {{"type", "http"}, {"scheme", "bearer"}}},
              {"apiKey", {{"type", "apiKey"}, {"in", "header"}, {"name", "X-Api-Key"}}}}}}}};
}

}  // namespace ssd1b
