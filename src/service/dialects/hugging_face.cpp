#include "service/dialects/hugging_face.h"

#include "service/dialects/accept.h"
#include "service/dialects/model_names.h"
#include "service/dialects/native.h"
#include "service/dialects/picture_fields.h"

namespace ssd1b {

const FieldNames& hugging_face_fields() {
  static const FieldNames kFields = {
      {{"prompt", {"inputs"}}, {"parameters", {"parameters"}, true}}};
  return kFields;
}

const FieldNames& hugging_face_parameters() {
  static const FieldNames kFields = {{{"negative_prompt", {"negative_prompt"}},
                                      {"width", {"width"}, true},
                                      {"height", {"height"}, true},
                                      {"steps", {"num_inference_steps"}, true},
                                      {"guidance_scale", {"guidance_scale"}, true},
                                      {"scheduler", {"scheduler"}, true},
                                      {"seed", {"seed"}}}};
  return kFields;
}

ImageRequest parse_hugging_face(const Json& body, const RequestContext& context,
                                const ModelInfo& model, const RequestRules& rules) {
  if (!context.path_model.empty()) check_model_name(context.path_model, /*param=*/"", rules);
  FieldReader fields(body, hugging_face_fields(), context.body);
  if (const Json* parameters = fields.nested("parameters")) {
    fields.add(FieldReader(*parameters, hugging_face_parameters(), context.body, "parameters"));
  }
  ImageRequest request = read_pictures(fields, default_request(model), model, rules);
  const ReplyChoice choice =
      choose_reply(AcceptHeader(context.accept), ReplyKind::Bytes, /*format=*/std::nullopt);
  request.reply = choice.kind;
  request.format = choice.format;
  return request;
}

const Dialect& hugging_face_dialect() {
  static const Dialect kDialect = {parse_hugging_face, native_reply};
  return kDialect;
}

}  // namespace ssd1b
