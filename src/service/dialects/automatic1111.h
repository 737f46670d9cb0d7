#pragma once

#include <cstdint>
#include <string>

#include "service/dialects/dialect.h"
#include "service/dialects/field_reader.h"

namespace ssd1b {

/// The fields of POST /sdapi/v1/txt2img that mean something here; any other is ignored.
const FieldNames& automatic1111_fields();

/// Those of its `override_settings`.
const FieldNames& automatic1111_settings();

/// An object with the known ones of its fields: the others are ignored, in this dialect alone. What
/// is no object stays as it is.
Json only_known(const Json& object, const FieldNames& names);

/// A model's name in the forms that clients make of it: "NAME [hash]", "NAME.safetensors".
std::string checkpoint_name(std::string name);

/// Reads the body of POST /sdapi/v1/txt2img. What is absent is the model's own default, not
/// Automatic1111's, which no model of few steps could use. A field that asks for what would make
/// another picture (a second pass, a script, a LoRA in the prompt) is Error(NotSupported); else
/// throws Error as parse_native does, and ModelNotFound.
ImageRequest parse_automatic1111(const Json& body, const RequestContext& context,
                                 const ModelInfo& model, const RequestRules& rules);

/// {"images": [base64], "parameters": the resolved fields, "info": JSON as text}.
Json automatic1111_reply(const ImageRequest& request, const PictureReply& reply);

/// What Automatic1111 writes as a job's time: 20221231235959, in UTC.
std::string job_timestamp(std::int64_t seconds_since_1970);

}  // namespace ssd1b
