#include "service/dialects/segmind.h"

#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "service/dialects/accept.h"
#include "service/dialects/numbers_of_texts.h"
#include "service/dialects/picture_fields.h"
#include "service/image_files/base64.h"

namespace ssd1b {
namespace {

/// The list of Segmind's documentation of SSD-1B, and ours for each.
const std::map<std::string, std::string>& scheduler_names() {
  static const std::map<std::string, std::string> kNames = {{"DDIM", "ddim"},
                                                            {"DPM Multi", "dpmpp_2m"},
                                                            {"DPM Single", "dpmpp_2s"},
                                                            {"Euler a", "euler_a"},
                                                            {"Euler", "euler"},
                                                            {"Heun", "heun"},
                                                            {"DPM2 a Karras", "dpm2_a_karras"},
                                                            {"DPM2 Karras", "dpm2_karras"},
                                                            {"LMS", "lms"},
                                                            {"PNDM", "pndm"},
                                                            {"DDPM", "ddpm"},
                                                            {"UniPC", "unipc"}};
  return kNames;
}

/// The body with Segmind's scheduler name replaced by ours.
Json with_our_scheduler(const Json& body) {
  Json result = body;
  if (!body.is_object() || !body.contains("scheduler") || !body["scheduler"].is_string()) {
    return result;
  }
  const auto found = scheduler_names().find(body["scheduler"].get<std::string>());
  if (found != scheduler_names().end()) result["scheduler"] = found->second;
  return result;
}

/// Whether the model has it, in Segmind's names; ours are checked with all other fields.
void check_scheduler(const FieldReader& fields, const ModelInfo& model) {
  const auto name = fields.text("scheduler");
  if (!name || scheduler_names().count(*name) == 0) return;
  std::string known;
  for (const auto& [theirs, ours] : scheduler_names()) {
    const auto is_it = [&, wanted = ours](const SchedulerInfo& each) {
      return each.name == wanted;
    };
    if (!std::any_of(model.schedulers.begin(), model.schedulers.end(), is_it)) continue;
    if (theirs == *name) return;
    known += (known.empty() ? "" : ", ") + theirs;
  }
  throw fields.invalid("scheduler", "one of " + known);
}

}  // namespace

const FieldNames& segmind_fields() {
  static const FieldNames kFields = {{{"prompt", {"prompt"}},
                                      {"negative_prompt", {"negative_prompt"}},
                                      {"num_images", {"samples"}},
                                      {"scheduler", {"scheduler"}},
                                      {"steps", {"num_inference_steps"}},
                                      {"guidance_scale", {"guidance_scale"}},
                                      {"seed", {"seed"}},
                                      {"width", {"img_width"}},
                                      {"height", {"img_height"}},
                                      {"base64", {"base64"}}}};
  return kFields;
}

ImageRequest parse_segmind(const Json& body, const RequestContext& context, const ModelInfo& model,
                           const RequestRules& rules) {
  check_scheduler(FieldReader(body, segmind_fields(), context.body), model);
  // Segmind's own clients send numbers as texts.
  const Json translated = numbers_of_texts(
      with_our_scheduler(body),
      {"samples", "num_inference_steps", "guidance_scale", "seed", "img_width", "img_height"});
  const FieldReader fields(translated, segmind_fields(), context.body);
  ImageRequest request = read_pictures(fields, default_request(model), model, rules);
  const bool wants_base64 = fields.boolean("base64").value_or(false);
  request.reply = wants_base64 ? ReplyKind::JsonText : ReplyKind::Bytes;
  request.format = ImageFormat::Jpeg;
  choose_reply(AcceptHeader(context.accept), request.reply, request.format);
  if (request.pictures.size() > 1 && !wants_base64) {
    throw fields.invalid("num_images", "1 unless base64 is true");
  }
  return request;
}

Json segmind_reply(const ImageRequest&, const PictureReply& reply) {
  if (reply.files.size() == 1) return {{"image", base64_of(reply.files.front().bytes)}};
  Json images = Json::array();
  for (const PictureFile& file : reply.files) images.push_back(base64_of(file.bytes));
  return {{"image", images}};
}

const Dialect& segmind_dialect() {
  static const Dialect kDialect = {parse_segmind, segmind_reply};
  return kDialect;
}

}  // namespace ssd1b
