#pragma once

#include "service/dialects/dialect.h"
#include "service/dialects/field_reader.h"

namespace ssd1b {

/// The fields of POST /v1/ssd-1b.
const FieldNames& segmind_fields();

/// Reads the body of POST /v1/ssd-1b: schedulers by Segmind's names or ours, JPEG. Throws Error as
/// parse_native does.
ImageRequest parse_segmind(const Json& body, const RequestContext& context, const ModelInfo& model,
                           const RequestRules& rules);

/// {"image": base64}; for more than one sample a list of them under the same name.
Json segmind_reply(const ImageRequest& request, const PictureReply& reply);

}  // namespace ssd1b
