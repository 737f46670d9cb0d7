#pragma once

#include "service/dialects/dialect.h"
#include "service/dialects/field_reader.h"

namespace ssd1b {

/// The fields of POST /generate-image.
const FieldNames& native_fields();
/// Of POST /v1/jobs: the same and `previews`, which nobody sees who waits for the picture itself.
const FieldNames& job_fields();

/// Reads the body of POST /generate-image. From the Accept header come the kind of reply and the
/// image format where the body names none. Throws Error: MissingField, InvalidValue, UnknownField,
/// DuplicateField, NotSupported with the field as param; NotAcceptable.
ImageRequest parse_native(const Json& body, const RequestContext& context, const ModelInfo& model,
                          const RequestRules& rules);

/// The same for POST /v1/jobs.
ImageRequest parse_job(const Json& body, const RequestContext& context, const ModelInfo& model,
                       const RequestRules& rules);

/// {"created", "model", "images": [{"b64_json", "seed"}], "timings_ms", "prompt_tokens",
/// "prompt_token_limit", "warnings"}.
Json native_reply(const ImageRequest& request, const PictureReply& reply);

}  // namespace ssd1b
