#pragma once

#include "service/http/http.h"
#include "service/routes/service.h"

namespace ssd1b {

HttpReply post_job(const Service& service, const HttpRequest& http);
HttpReply get_job(const Service& service, const HttpRequest& http);
HttpReply get_job_image(const Service& service, const HttpRequest& http);
/// Ends a job that has not ended, and forgets one that has.
HttpReply delete_job(const Service& service, const HttpRequest& http);
/// Server-sent events: those so far (behind Last-Event-ID), then those to come until the end.
HttpReply get_job_events(const Service& service, const HttpRequest& http);

}  // namespace ssd1b
