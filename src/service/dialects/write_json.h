#pragma once

#include <string>

#include "service/dialects/json_text.h"

namespace ssd1b {

/// The text of a reply, without spaces. Never throws: bytes that are not UTF-8 become U+FFFD.
std::string json_text(const Json& value);

}  // namespace ssd1b
