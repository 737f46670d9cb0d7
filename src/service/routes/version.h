#pragma once

#include "service/dialects/json_text.h"

namespace ssd1b {

/// {"version", "commit", "libraries": {name: version}} of this program, as it was built.
Json version_document();

/// The commit that this was built from; "unknown" outside of a checkout.
const char* build_commit();

}  // namespace ssd1b
