#include "service/routes/automatic1111_routes.h"

#include <optional>
#include <utility>

#include "service/dialects/automatic1111.h"
#include "service/dialects/model_names.h"
#include "service/dialects/sampler_names.h"
#include "service/dialects/shown_text.h"
#include "service/dialects/write_json.h"
#include "service/image_files/base64.h"
#include "service/image_files/png_text.h"
#include "service/routes/automatic1111_documents.h"
#include "service/routes/make_pictures.h"
#include "service/routes/picture_reply.h"
#include "service/routes/running_requests.h"

namespace ssd1b {
namespace {

HttpReply json_reply(const Json& body) {
  HttpReply reply;
  reply.body = json_text(body);
  return reply;
}

/// What was made of an interrupted request, and the requests for it.
struct Made {
  std::vector<GenerationRequest> requests;
  std::vector<GeneratedImage> pictures;
};

/// The ended jobs' pictures, moved out; those that were never begun are left out. Throws what made
/// a picture fail.
Made take_made(const std::vector<std::shared_ptr<Job>>& jobs) {
  Made made;
  for (const std::shared_ptr<Job>& job : jobs) {
    auto result = job->take_result();
    if (auto* picture = std::get_if<GeneratedImage>(&result)) {
      made.pictures.push_back(std::move(*picture));
      made.requests.push_back(job->request());
    } else if (const auto& fault = std::get<JobFault>(result); fault.code != ErrorCode::Cancelled) {
      throw_fault(fault);
    }
  }
  return made;
}

HttpReply post_txt2img(const Service& service, const HttpRequest& http) {
  const Dialect& dialect = automatic1111_dialect();
  ImageRequest request = read_request(service, dialect, http);
  const auto jobs = service.dispatcher().submit(request.pictures, ticket_of(request, http));
  const auto running = service.running().add(http.client, jobs);
  wait_for_pictures(service.dispatcher(), jobs, http);
  Made made;
  if (running->is_interrupted()) {
    made = take_made(jobs);
    if (made.pictures.empty()) {
      return json_reply(automatic1111_reply(request, begin_reply(service, request)));
    }
    request.pictures = std::move(made.requests);
  } else {
    made.pictures = take_pictures(jobs);
  }
  return picture_reply(service, dialect, request, made.pictures, ReplyTo::PictureRequest, http);
}

HttpReply post_interrupt(const Service& service, const HttpRequest& http) {
  for (const auto& each : service.running().of(http.client)) each->interrupt(service.dispatcher());
  return json_reply(Json::object());
}

HttpReply post_skip(const Service& service, const HttpRequest& http) {
  for (const auto& each : service.running().of(http.client)) each->skip(service.dispatcher());
  return json_reply(nullptr);
}

HttpReply get_progress(const Service& service, const HttpRequest& http) {
  return json_reply(progress_document(service.running().of(http.client), service.dispatcher()));
}

/// Whether a setting may be given this value because it is in force, or is as good as that.
bool is_in_force(const std::string& name, const Json& value, const Json& options) {
  if (value == options[name]) return true;
  // Their last layer and the one before are the same here, as in override_settings.
  if (name == "CLIP_stop_at_last_layers") return value == 2;
  return name == "sd_vae" && (value == "None" || value == "");
}

/// One server has one model and no settings that a client changes: what is in force may be set.
/// Settings that this program does not have are ignored, as everywhere in this dialect.
void check_options(const Json& settings, const RequestRules& rules) {
  if (!settings.is_object()) {
    throw Error(ErrorCode::InvalidValue, "the body must be a JSON object of settings");
  }
  const Json options = options_document(rules);
  for (const auto& [name, value] : settings.items()) {
    if (name == "sd_model_checkpoint" && value.is_string()) {
      check_model_name(checkpoint_name(value.get<std::string>()), name, rules);
    } else if (options.contains(name) && !is_in_force(name, value, options)) {
      throw Error(ErrorCode::NotSupported,
                  name + " is set for all clients and stays " + options[name].dump(), name);
    }
  }
}

HttpReply post_options(const Service& service, const HttpRequest& http) {
  const RequestRules& rules = service.rules();
  read_body(service, http, rules.request_timeout,
            [&](const Json& body) { check_options(body, rules); });
  return json_reply(nullptr);
}

/// The file that `image` holds: Base64, or a data URL of it. Other fields are ignored, as
/// everywhere in this dialect.
std::string read_image(const Json& body, std::string_view text_of_body) {
  static const FieldNames kFields = {{{"image", {"image"}}}};
  const Json known = only_known(body, kFields);
  const FieldReader fields(known, kFields, text_of_body);
  const std::optional<std::string> text = fields.text("image");
  if (!text) throw Error(ErrorCode::MissingField, "image must be given", "image");
  std::string_view encoded = *text;
  if (encoded.substr(0, 5) == "data:") {
    const std::size_t comma = encoded.find(',');
    encoded.remove_prefix(comma == std::string_view::npos ? encoded.size() : comma + 1);
  }
  const std::optional<std::string> file = bytes_of_base64(encoded);
  if (!file) {
    throw Error(ErrorCode::InvalidValue, "image must be a PNG file in Base64, got other characters",
                "image");
  }
  return *file;
}

PngText read_text_of(const std::string& file) {
  try {
    return read_png_text(file);
  } catch (const Error& error) {
    throw Error(error.code(), std::string("image: ") + error.what(), "image");
  }
}

HttpReply post_png_info(const Service& service, const HttpRequest& http) {
  std::string file;
  read_body(service, http, service.rules().request_timeout,
            [&](const Json& body) { file = read_image(body, http.body); });
  std::string info;
  Json items = Json::object();
  for (auto& [keyword, text] : read_text_of(file)) {
    if (keyword == "parameters") {
      info = std::move(text);
    } else {
      items[keyword] = std::move(text);
    }
  }
  return json_reply({{"info", info}, {"items", items}, {"parameters", Json::object()}});
}

}  // namespace

std::vector<Route> automatic1111_routes(const std::shared_ptr<const Service>& service) {
  const auto with = [service](HttpReply (*handler)(const Service&, const HttpRequest&)) {
    return [service, handler](const HttpRequest& http) { return handler(*service, http); };
  };
  const auto of_model = [service](Json (*document)(const ModelInfo&)) {
    return
        [service, document](const HttpRequest&) { return json_reply(document(*service->model())); };
  };
  const auto of_rules = [service](Json (*document)(const RequestRules&)) {
    return
        [service, document](const HttpRequest&) { return json_reply(document(service->rules())); };
  };
  const auto always = [](const Json& body) {
    return [body](const HttpRequest&) { return json_reply(body); };
  };
  Route txt2img{"POST", "/sdapi/v1/txt2img", with(post_txt2img)};
  txt2img.makes_pictures = true;
  return {
      txt2img,
      {"POST", "/sdapi/v1/interrupt", with(post_interrupt)},
      {"POST", "/sdapi/v1/skip", with(post_skip)},
      {"POST", "/sdapi/v1/options", with(post_options)},
      {"POST", "/sdapi/v1/png-info", with(post_png_info)},
      {"GET", "/sdapi/v1/progress", with(get_progress)},
      {"GET", "/sdapi/v1/options", of_rules(options_document)},
      {"GET", "/sdapi/v1/sd-models", of_rules(sd_models_document)},
      {"GET", "/sdapi/v1/samplers", of_model(samplers_document)},
      {"GET", "/sdapi/v1/schedulers", of_model(schedulers_document)},
      {"GET", "/sdapi/v1/memory", [](const HttpRequest&) { return json_reply(memory_document()); }},
      {"GET", "/sdapi/v1/loras", always(Json::array())},
      {"GET", "/sdapi/v1/upscalers", always(upscalers_document())},
      {"GET", "/sdapi/v1/cmd-flags", always({{"api", true}, {"nowebui", true}})}};
}

}  // namespace ssd1b
