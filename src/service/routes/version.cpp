#include "service/routes/version.h"

#include <spdlog/version.h>

#include <string>

#include "options/options.h"

namespace ssd1b {
namespace {

std::string dotted(int major, int minor, int patch) {
  return std::to_string(major) + "." + std::to_string(minor) + "." + std::to_string(patch);
}

}  // namespace

const char* build_commit() { return SSD1B_COMMIT; }

Json version_document() {
  return {{"version", program_version()},
          {"commit", build_commit()},
          {"libraries",
           {{"cpp-httplib", SSD1B_HTTPLIB_VERSION},
            {"nlohmann-json", dotted(NLOHMANN_JSON_VERSION_MAJOR, NLOHMANN_JSON_VERSION_MINOR,
                                     NLOHMANN_JSON_VERSION_PATCH)},
            {"spdlog", dotted(SPDLOG_VER_MAJOR, SPDLOG_VER_MINOR, SPDLOG_VER_PATCH)}}}};
}

}  // namespace ssd1b
