#pragma once

#include <string>

#include "service/http/http.h"

namespace ssd1b {

/// The page as one document, and what it may do in a browser.
struct PlaygroundPage {
  std::string html;  // with its style and its script inside
  std::string content_security_policy;
};

/// Made at the first call. Thread-safe.
const PlaygroundPage& playground_page();

/// Answers GET /.
HttpReply get_playground();

}  // namespace ssd1b
