#pragma once

#include <chrono>

#include "service/http/http.h"

namespace ssd1b {

// How long a client that has gone away may go unnoticed.
constexpr std::chrono::milliseconds kClientPoll{25};

/// Throws Error(Cancelled) once the client is gone, also where the end of the service has closed
/// its connection.
void check_client(const HttpRequest& http);

/// For work that waits for a place where nobody else looks: the same, and Error(DeadlineExceeded)
/// once the request is `timeout` old.
void check_still_wanted(const HttpRequest& http, std::chrono::milliseconds timeout);

}  // namespace ssd1b
