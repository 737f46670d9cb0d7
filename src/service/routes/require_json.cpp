#include "service/routes/require_json.h"

#include <algorithm>
#include <string>

#include "service/dialects/lower_case.h"
#include "ssd1b/error.h"

namespace ssd1b {
namespace {

/// The charset among the parameters of a Content-Type in small letters; without one JSON is UTF-8.
std::string charset_of(std::string parameters) {
  parameters.erase(std::remove_if(parameters.begin(), parameters.end(),
                                  [](char c) { return c == ' ' || c == '\t' || c == '"'; }),
                   parameters.end());
  const std::string name = "charset=";
  const std::size_t at = parameters.find(name);
  if (at == std::string::npos) return "utf-8";
  const std::size_t begin = at + name.size();
  return parameters.substr(begin, parameters.find(';', begin) - begin);
}

/// What a message says of a Content-Type that will not do.
std::string got_type(const std::string& type, const std::string& charset) {
  constexpr std::size_t kMostShown = 64;
  if (type.empty()) return "no Content-Type";
  if (type != "application/json") return type.substr(0, kMostShown);
  return "the charset " + charset.substr(0, kMostShown);
}

}  // namespace

void require_json(const HttpRequest& http) {
  const std::string value = lower_case(http.header("Content-Type"));
  const std::size_t semicolon = value.find(';');
  std::string type = value.substr(0, semicolon);
  type.erase(type.find_last_not_of(" \t") + 1);
  const std::string parameters = semicolon == std::string::npos ? "" : value.substr(semicolon + 1);
  const std::string charset = charset_of(parameters);
  if (type == "application/json" && (charset == "utf-8" || charset == "utf8")) return;
  throw Error(ErrorCode::UnsupportedMediaType,
              "the body must be JSON in UTF-8, got " + got_type(type, charset) +
                  ": send the header Content-Type: application/json");
}

}  // namespace ssd1b
