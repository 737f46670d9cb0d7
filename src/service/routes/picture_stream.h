#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include "service/dialects/dialect.h"
#include "service/http/http.h"
#include "service/routes/service.h"

namespace ssd1b {

/// How long a stream of events is silent at most. Only writing tells that a listener is gone.
constexpr std::chrono::seconds kKeepAlive{1};

/// The reply to a request for one picture as server-sent events: previews while it is made, then
/// the picture, or an event `error` with what would have been the body of an error. The dialect's
/// `event` writes them. Once the client is gone the picture is cancelled. `service` outlives it.
HttpReply stream_picture(const Service& service, const Dialect& dialect, ImageRequest request,
                         std::shared_ptr<Job> job, HttpRequest http);

/// A picture of how far it is, as a file: encoded as few at a time as all others, each after
/// `check`, which throws where nobody wants it any more.
std::string preview_file(const Service& service, const Image& image, ImageFormat format,
                         int quality, const std::function<void()>& check);

/// One server-sent event; `data` is one line.
std::string event_text(const std::string& name, const std::string& data);

}  // namespace ssd1b
