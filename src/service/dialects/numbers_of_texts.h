#pragma once

#include <initializer_list>

#include "service/dialects/json_text.h"

namespace ssd1b {

/// The object with a number for each of these fields that is a text of one and nothing else: some
/// clients send numbers so. What is no object stays as it is.
Json numbers_of_texts(Json object, std::initializer_list<const char*> fields);

}  // namespace ssd1b
