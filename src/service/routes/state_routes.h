#pragma once

#include "service/http/http.h"
#include "service/routes/service.h"

namespace ssd1b {

HttpReply get_live(const Service& service, const HttpRequest& http);   // /healthz, /ping
HttpReply get_ready(const Service& service, const HttpRequest& http);  // /readyz, /health
HttpReply get_version(const Service& service);                         // /version
HttpReply get_models(const Service& service);                          // /v1/models
HttpReply get_model(const Service& service, const std::string& name);  // /v1/models/{name}

}  // namespace ssd1b
