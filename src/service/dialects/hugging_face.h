#pragma once

#include "service/dialects/dialect.h"
#include "service/dialects/field_reader.h"

namespace ssd1b {

/// The fields of POST / and POST /models/{name}, and those of their `parameters`.
const FieldNames& hugging_face_fields();
const FieldNames& hugging_face_parameters();

/// Reads {"inputs", "parameters": {...}}. Throws Error as parse_native does, and ModelNotFound for
/// a path that names another model.
ImageRequest parse_hugging_face(const Json& body, const RequestContext& context,
                                const ModelInfo& model, const RequestRules& rules);

}  // namespace ssd1b
