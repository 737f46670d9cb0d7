#pragma once

#include "service/dialects/json_text.h"

namespace ssd1b {

/// {"version", "commit"} of this program and the versions of the libraries that it was built with,
/// by their names.
Json version_document();

/// The commit that this was built from; "unknown" outside of a checkout.
const char* build_commit();

}  // namespace ssd1b
