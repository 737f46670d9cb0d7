#pragma once

#include <string>

#include "service/dialects/field_reader.h"
#include "service/dialects/image_request.h"

namespace ssd1b {

/// The fields of POST /generate-image and POST /v1/jobs.
const FieldNames& native_fields();

/// Reads the body of POST /generate-image. `accept` is the Accept header, from which come the kind
/// of reply and the image format where the body names none. Throws Error: MissingField,
/// InvalidValue, UnknownField, DuplicateField, NotSupported with the field as param; NotAcceptable.
ImageRequest parse_native(const Json& body, const std::string& accept, const ModelInfo& model,
                          const RequestRules& rules);

}  // namespace ssd1b
