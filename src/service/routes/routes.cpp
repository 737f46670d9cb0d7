#include "service/routes/routes.h"

#include <utility>

#include "logging/log.h"
#include "service/dialects/dialect.h"
#include "service/dialects/write_json.h"
#include "service/playground/playground.h"
#include "service/routes/automatic1111_routes.h"
#include "service/routes/job_routes.h"
#include "service/routes/link_store.h"
#include "service/routes/make_pictures.h"
#include "service/routes/openapi.h"
#include "service/routes/refusal_reply.h"
#include "service/routes/state_routes.h"

namespace ssd1b {
namespace {

using Shared = std::shared_ptr<const Service>;

HttpHandler pictures_in(const Shared& service, const Dialect& dialect) {
  return [service, &dialect](const HttpRequest& http) {
    const std::string model = http.path_parameters.empty() ? "" : http.path_parameters[0];
    return make_pictures(*service, dialect, http, model);
  };
}

HttpReply get_metrics(const Service& service) {
  HttpReply reply;
  reply.content_type = "text/plain; version=0.0.4; charset=utf-8";
  service.metrics().set_dropped_log_records(dropped_log_records());
  reply.body = service.metrics().text();
  return reply;
}

HttpReply get_openapi(const Service& service) {
  const auto model = service.dispatcher().state().model;
  const RequestRules rules = model ? service.rules(*model) : service.rules();
  HttpReply reply;
  reply.body = json_text(openapi_document(rules, model.get()));
  return reply;
}

HttpReply get_linked_picture(const Service& service, const HttpRequest& http) {
  const auto picture = service.links().find(http.path_parameters.at(0), http.client);
  if (!picture) {
    throw Error(ErrorCode::NotFound,
                "there is no picture of this id; they are kept 10 minutes, the oldest of more than "
                "1 GiB shorter");
  }
  HttpReply reply;
  reply.content_type = picture->media_type;
  reply.body = picture->bytes;
  return reply;
}

Route making_pictures(const char* pattern, HttpHandler handler) {
  Route route{"POST", pattern, std::move(handler)};
  route.makes_pictures = true;
  return route;
}

std::vector<Route> picture_routes(const Shared& service) {
  return {making_pictures("/generate-image", pictures_in(service, native_dialect())),
          making_pictures("/v1/images/generations", pictures_in(service, openai_dialect())),
          {"GET", "/v1/images/{id}/content",
           [service](const HttpRequest& http) { return get_linked_picture(*service, http); }},
          making_pictures("/", pictures_in(service, hugging_face_dialect())),
          making_pictures("/models/{name...}", pictures_in(service, hugging_face_dialect())),
          making_pictures("/v1/ssd-1b", pictures_in(service, segmind_dialect()))};
}

std::vector<Route> job_routes(const Shared& service) {
  const auto with = [service](HttpReply (*handler)(const Service&, const HttpRequest&)) {
    return [service, handler](const HttpRequest& http) { return handler(*service, http); };
  };
  return {making_pictures("/v1/jobs", with(post_job)),
          {"GET", "/v1/jobs/{id}", with(get_job)},
          {"DELETE", "/v1/jobs/{id}", with(delete_job)},
          {"GET", "/v1/jobs/{id}/events", with(get_job_events)},
          {"GET", "/v1/jobs/{id}/image", with(get_job_image)}};
}

std::vector<Route> state_routes(const Shared& service) {
  const HttpHandler live = [service](const HttpRequest& http) { return get_live(*service, http); };
  const HttpHandler ready = [service](const HttpRequest& http) {
    return get_ready(*service, http);
  };
  constexpr bool kNoKey = false;
  constexpr bool kManagement = true;
  return {{"GET", "/", [](const HttpRequest&) { return get_playground(); }, kNoKey},
          {"GET", "/healthz", live, kNoKey, kManagement},
          {"GET", "/ping", live, kNoKey, kManagement},
          {"GET", "/readyz", ready, kNoKey, kManagement},
          {"GET", "/health", ready, kNoKey, kManagement},
          {"GET", "/metrics", [service](const HttpRequest&) { return get_metrics(*service); },
           /*needs_key=*/true, kManagement, /*moves_to_management_port=*/true},
          {"GET", "/version", [service](const HttpRequest&) { return get_version(*service); }},
          {"GET", "/v1/models", [service](const HttpRequest&) { return get_models(*service); }},
          {"GET", "/v1/models/{name...}",
           [service](const HttpRequest& http) {
             return get_model(*service, http.path_parameters.at(0));
           }},
          {"GET", "/openapi.json", [service](const HttpRequest&) { return get_openapi(*service); },
           kNoKey}};
}

}  // namespace

std::vector<Route> all_routes(std::shared_ptr<const Service> service) {
  std::vector<Route> routes;
  for (const auto& part : {picture_routes, automatic1111_routes, job_routes, state_routes}) {
    for (Route& route : part(service)) {
      route.handler = with_refusals(std::move(route.handler));
      routes.push_back(std::move(route));
    }
  }
  return routes;
}

}  // namespace ssd1b
