#pragma once

#include "service/dialects/dialect.h"
#include "service/dialects/field_reader.h"

namespace ssd1b {

/// The fields of POST /v1/images/generations.
const FieldNames& openai_fields();

/// Reads the body of POST /v1/images/generations; its own fields may be null, as in OpenAI's.
/// Throws Error as parse_native does, and ModelNotFound.
ImageRequest parse_openai(const Json& body, const RequestContext& context, const ModelInfo& model,
                          const RequestRules& rules);

/// {"created", "data": [{"b64_json" or "url", "seed"}], "model", "size", ...}.
Json openai_reply(const ImageRequest& request, const PictureReply& reply);

}  // namespace ssd1b
