#pragma once

#include "service/dialects/image_request.h"
#include "service/dialects/json_text.h"

namespace ssd1b {

/// The OpenAPI 3.1 document of every route, with the limits of the loaded model where one is, else
/// with those that no model passes.
Json openapi_document(const RequestRules& rules, const ModelInfo* model);

/// components/schemas of that document.
Json openapi_schemas(const RequestRules& rules, const ModelInfo* model);

/// Those of Automatic1111's routes; `fields`: the schemas of the fields that all dialects share, by
/// their ids.
Json automatic1111_schemas(const Json& fields, const RequestRules& rules, const ModelInfo* model);

}  // namespace ssd1b
