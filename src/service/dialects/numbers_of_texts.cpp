#include "service/dialects/numbers_of_texts.h"

#include <optional>
#include <string>
#include <utility>

#include "ssd1b/error.h"

namespace ssd1b {
namespace {

/// The number that a text holds and nothing else; nullopt for any other text.
std::optional<Json> number_in(const std::string& text) {
  try {
    Json number = parse_json(text);
    if (number.is_number()) return number;
  } catch (const Error&) {
  }
  return std::nullopt;
}

}  // namespace

Json numbers_of_texts(Json object, std::initializer_list<const char*> fields) {
  if (!object.is_object()) return object;
  for (const char* name : fields) {
    const auto field = object.find(name);
    if (field == object.end() || !field->is_string()) continue;
    if (auto number = number_in(field->get<std::string>())) *field = std::move(*number);
  }
  return object;
}

}  // namespace ssd1b
