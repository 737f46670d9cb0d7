#include "service/routes/state_routes.h"

#include "service/dialects/json_text.h"
#include "service/dialects/model_names.h"
#include "service/dialects/write_json.h"
#include "service/routes/model_document.h"
#include "service/routes/version.h"

namespace ssd1b {
namespace {

/// 200 with the state, or 503 in the shape of all errors with the state beside it.
HttpReply health_reply(bool is_good, const char* good, const char* bad, const ServiceState& state,
                       const HttpRequest& http) {
  HttpReply reply;
  Json body = Json::object();
  std::string reason;
  if (!is_good) {
    reason = state.reason.empty() ? "the service cannot take work" : state.reason;
    reply = error_reply(Error(ErrorCode::NotReady, reason), http.request_id, kRetryWhenNotReadyS);
    body = parse_json(reply.body);
  }
  body["status"] = is_good ? good : bad;
  body["reason"] = reason;
  body["queued_pictures"] = state.queued_pictures;
  body["running_pictures"] = state.running_pictures;
  reply.body = json_text(body);
  return reply;
}

HttpReply json_reply(const Json& body) {
  HttpReply reply;
  reply.body = json_text(body);
  return reply;
}

}  // namespace

HttpReply get_live(const Service& service, const HttpRequest& http) {
  const ServiceState state = service.dispatcher().state();
  return health_reply(state.live, "live", "not_live", state, http);
}

HttpReply get_ready(const Service& service, const HttpRequest& http) {
  const ServiceState state = service.dispatcher().state();
  return health_reply(state.ready, "ready", "not_ready", state, http);
}

HttpReply get_version(const Service& service) {
  const auto model = service.dispatcher().state().model;
  Json body = version_document();
  body["libtorch"] = nullptr;  // only a worker knows it
  body["cuda"] = nullptr;
  if (model) {
    body["libtorch"] = model->libtorch_version;
    if (!model->cuda_version.empty()) body["cuda"] = model->cuda_version;
  }
  return json_reply(body);
}

HttpReply get_models(const Service& service) {
  const auto model = service.model();
  const RequestRules rules = service.rules(*model);
  Json data = Json::array();
  for (const std::string& name : rules.model_names) {
    data.push_back(model_document(name, service.started_at_s(), *model, rules));
  }
  return json_reply({{"object", "list"}, {"data", data}});
}

HttpReply get_model(const Service& service, const std::string& name) {
  const auto model = service.model();
  const RequestRules rules = service.rules(*model);
  check_model_name(name, /*param=*/"", rules);
  return json_reply(model_document(name, service.started_at_s(), *model, rules));
}

}  // namespace ssd1b
