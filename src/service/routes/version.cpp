#include "service/routes/version.h"

#include "options/options.h"
#include "service/routes/built_with.h"

namespace ssd1b {

const char* build_commit() { return kCommit; }

Json version_document() {
  Json document = {{"version", program_version()}, {"commit", build_commit()}};
  for (const auto& [name, version] : kLibraries) document[name] = version;
  return document;
}

}  // namespace ssd1b
