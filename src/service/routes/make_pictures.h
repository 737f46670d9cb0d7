#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "service/dialects/dialect.h"
#include "service/http/http.h"
#include "service/routes/service.h"

namespace ssd1b {

/// The one way of a request for pictures, in whatever dialect: parse, submit, wait, reply. Blocks
/// until the pictures are made, their deadline passes, or the client is gone (then they are
/// cancelled). Throws Error; Refusal where coming back later may help.
HttpReply make_pictures(const Service& service, const Dialect& dialect, const HttpRequest& http,
                        const std::string& path_model = "");

/// Gives the body as JSON to `read`; a large one only when few others are being read, or until
/// `timeout` has passed since the request came. Throws Error(UnsupportedMediaType) for a body that
/// is not announced as JSON, and what `read` throws.
void read_body(const Service& service, const HttpRequest& http, std::chrono::milliseconds timeout,
               const std::function<void(const Json&)>& read);

/// Reads the body of a request for pictures. Throws Error(UnsupportedMediaType) for a body that is
/// not announced as JSON, Refusal(NotReady) before there is a model, and what the dialect throws.
ImageRequest read_request(const Service& service, const Dialect& dialect, const HttpRequest& http,
                          const std::string& path_model = "");

/// Who asks, until when, and how it calls the number of its pictures.
JobTicket ticket_of(const ImageRequest& request, const HttpRequest& http);

/// Blocks until all have ended. Throws Error(Cancelled) once the client is gone, which ends them.
void wait_for_pictures(Dispatcher& dispatcher, const std::vector<std::shared_ptr<Job>>& jobs,
                       const HttpRequest& http);

/// The ended jobs' pictures, moved out. Throws the first fault among them.
std::vector<GeneratedImage> take_pictures(const std::vector<std::shared_ptr<Job>>& jobs);

/// Throws Error, or Refusal where coming back later may help.
[[noreturn]] void throw_fault(const JobFault& fault);

}  // namespace ssd1b
