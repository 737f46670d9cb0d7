#include "service/dialects/automatic1111.h"

#include <algorithm>
#include <utility>

#include "service/dialects/accept.h"
#include "service/dialects/lower_case.h"
#include "service/dialects/model_names.h"
#include "service/dialects/numbers_of_texts.h"
#include "service/dialects/picture_fields.h"
#include "service/dialects/sampler_names.h"
#include "service/dialects/shown_text.h"
#include "ssd1b/request_limits.h"

namespace ssd1b {
namespace {

constexpr int kMostAnything = 1 << 20;  // of numbers whose worth does not matter

[[noreturn]] void refuse(const FieldReader& fields, const std::string& field,
                         const std::string& must) {
  throw Error(ErrorCode::NotSupported,
              fields.name(field) + " is not supported here: it must be " + must,
              fields.name(field));
}

bool is_off(const Json& value) {
  if (value.is_null()) return true;
  if (value.is_boolean()) return !value.get<bool>();
  if (value.is_string()) return value == "" || value == "None";
  if (value.is_array()) return std::all_of(value.begin(), value.end(), is_off);
  if (!value.is_object()) return false;
  // A unit of ControlNet and a detector of ADetailer say so themselves.
  const auto says_off = [&](const char* name, const Json& off) {
    return value.contains(name) && value[name] == off;
  };
  return value.empty() || says_off("enabled", false) || says_off("ad_model", "None");
}

/// Whether an entry of `alwayson_scripts` does nothing, as clients send it for a script that they
/// do not use: without arguments, with ones that all are off, switched off by the first that is a
/// switch, or with nothing but units that are off.
bool is_script_off(const Json& entry) {
  const Json& args = entry.is_object() && entry.contains("args") ? entry["args"] : entry;
  if (is_off(args)) return true;
  if (!args.is_array()) return false;
  const auto is_switch = [](const Json& each) { return each.is_boolean(); };
  const auto first = std::find_if(args.begin(), args.end(), is_switch);
  if (first != args.end() && !first->get<bool>()) return true;
  const auto is_unit = [](const Json& each) { return each.is_object(); };
  const auto is_unit_that_acts = [&](const Json& each) { return is_unit(each) && !is_off(each); };
  return std::any_of(args.begin(), args.end(), is_unit) &&
         std::none_of(args.begin(), args.end(), is_unit_that_acts);
}

void check_scripts(const FieldReader& fields) {
  const Json* scripts = fields.nested("alwayson_scripts");
  if (!scripts) return;
  if (!scripts->is_object()) throw fields.invalid("alwayson_scripts", "a JSON object");
  for (const auto& [name, entry] : scripts->items()) {
    if (is_script_off(entry)) continue;
    throw Error(ErrorCode::NotSupported,
                "alwayson_scripts has " + shown(name) + ": no script is supported here",
                fields.name("alwayson_scripts"));
  }
}

void check_styles(const FieldReader& fields) {
  const Json* styles = fields.nested("styles");
  if (!styles) return;
  if (!styles->is_array()) throw fields.invalid("styles", "a list");
  if (!is_off(*styles)) refuse(fields, "styles", "an empty list or absent");
}

/// What would make another picture, and is not there.
void check_unsupported(const FieldReader& fields) {
  for (const char* field : {"enable_hr", "tiling", "restore_faces"}) {
    if (fields.boolean(field).value_or(false)) refuse(fields, field, "false or absent");
  }
  for (const char* field : {"refiner_checkpoint", "script_name", "infotext"}) {
    const std::string text = fields.text(field).value_or("");
    if (!text.empty() && text != "None") refuse(fields, field, "empty or absent");
  }
  for (const char* field : {"subseed_strength", "s_min_uncond"}) {
    if (fields.number(field, -kMostAnything, kMostAnything).value_or(0.0) > 0.0) {
      refuse(fields, field, "0 or absent");
    }
  }
  for (const char* field : {"seed_resize_from_w", "seed_resize_from_h"}) {
    if (fields.integer(field, -kMostAnything, kMostAnything).value_or(0) > 0) {
      refuse(fields, field, "0 or absent");
    }
  }
  check_styles(fields);
  check_scripts(fields);
}

bool begins_with(const std::string& text, const std::string& begin) {
  return text.compare(0, begin.size(), begin) == 0;
}

/// How much noise a sampler adds: `eta`, `s_churn` and `s_noise`, where that sampler has them
/// there.
void check_noise(const FieldReader& fields, const std::string& scheduler) {
  const auto is_of = [&](std::initializer_list<const char*> names) {
    return std::any_of(names.begin(), names.end(), [&](const std::string& name) {
      return scheduler == name || scheduler == name + "_karras";
    });
  };
  const auto eta = fields.number("eta", 0.0, kMostAnything);
  const std::string sampler = label_of(scheduler).sampler;
  if (is_of({"euler_a", "dpm2_a", "dpmpp_sde", "dpmpp_2m_sde"}) && eta.value_or(1.0) != 1.0) {
    refuse(fields, "eta", "1 or absent for " + sampler);
  }
  if (is_of({"ddim"}) && eta.value_or(0.0) != 0.0) {
    refuse(fields, "eta", "0 or absent for " + sampler);
  }
  const double churn = fields.number("s_churn", 0.0, kMostAnything).value_or(0.0);
  if (is_of({"euler", "heun", "dpm2"}) && churn > 0.0) {
    refuse(fields, "s_churn", "0 or absent for " + sampler);
  }
  const auto noise = fields.number("s_noise", 0.0, kMostAnything);
  if (is_of({"dpm2_a", "dpmpp_sde", "dpmpp_2m_sde"}) && noise.value_or(1.0) != 1.0) {
    refuse(fields, "s_noise", "1 or absent for " + sampler);
  }
}

/// <lora:name:weight> and its kin, which are no part of the text there.
void check_networks(const std::string& prompt, const FieldReader& fields) {
  for (std::size_t at = prompt.find('<'); at != std::string::npos; at = prompt.find('<', at + 1)) {
    const std::size_t end = prompt.find('>', at);
    if (end == std::string::npos) return;
    const std::string inside = lower_case(prompt.substr(at + 1, end - at - 1));
    if (begins_with(inside, "lora:") || begins_with(inside, "lyco:") ||
        begins_with(inside, "hypernet:")) {
      throw Error(ErrorCode::NotSupported,
                  fields.name("prompt") +
                      " must name no LoRA or other network (<lora:NAME:WEIGHT>): that is not "
                      "supported here, the server's own are merged at its start",
                  fields.name("prompt"));
    }
  }
}

/// batch_size times n_iter.
std::int64_t read_count(const FieldReader& fields, const RequestRules& rules) {
  const auto batch_size = fields.integer("num_images", 1, rules.max_images).value_or(1);
  const auto batches = fields.integer("n_iter", 1, rules.max_images).value_or(1);
  if (batch_size * batches > rules.max_images) {
    throw Error(ErrorCode::InvalidValue,
                "batch_size times n_iter must be at most " + std::to_string(rules.max_images) +
                    ", got " + std::to_string(batch_size) + " x " + std::to_string(batches),
                fields.name("n_iter"));
  }
  return batch_size * batches;
}

struct Settings {
  int clip_skip = 0;
  ImageFormat format = ImageFormat::Png;
  int quality = kDefaultQuality;
};

/// Settings that would make another picture.
void check_effects(const FieldReader& settings) {
  for (const char* field : {"tiling", "face_restoration"}) {
    if (settings.boolean(field).value_or(false)) refuse(settings, field, "false or absent");
  }
  for (const auto& [field, own] :
       {std::pair("eta_ancestral", 1.0), {"eta_ddim", 0.0}, {"s_churn", 0.0}}) {
    if (settings.number(field, -kMostAnything, kMostAnything).value_or(own) != own) {
      refuse(settings, field, own == 0.0 ? "0 or absent" : "1 or absent");
    }
  }
}

Settings read_settings(const FieldReader& fields, const RequestContext& context,
                       const ModelInfo& model, const RequestRules& rules) {
  Settings settings;
  const Json* object = fields.nested("override_settings");
  if (!object) return settings;
  const Json known = numbers_of_texts(only_known(*object, automatic1111_settings()),
                                      {"CLIP_stop_at_last_layers", "jpeg_quality"});
  const FieldReader own(known, automatic1111_settings(), context.body,
                        fields.name("override_settings"));
  const std::string name = own.text("model").value_or("");
  if (!name.empty()) check_model_name(checkpoint_name(name), own.name("model"), rules);
  check_effects(own);
  const std::string vae = own.text("vae").value_or("None");
  if (!vae.empty() && vae != "Automatic" && vae != "None") {
    refuse(own, "vae", "Automatic, None or absent");
  }
  // 1 is their last layer, 2 the one before. SDXL's conditioner takes the latter in any case, which
  // is our 0.
  const auto stop = own.integer("stop_at_last_layers", 1, model.max_clip_skip + 2).value_or(1);
  settings.clip_skip = std::max(0, static_cast<int>(stop) - 2);
  const std::string format = lower_case(own.text("format").value_or("png"));
  if (format != "jpg" && !image_format_named(format)) {
    throw own.invalid("format", "png, jpg, jpeg or webp");
  }
  settings.format = *image_format_named(format == "jpg" ? "jpeg" : format);
  settings.quality =
      static_cast<int>(own.integer("quality", 1, kMaxQuality).value_or(kDefaultQuality));
  return settings;
}

/// The body in words that read_pictures knows.
Json translated(Json body, const std::string& scheduler, std::int64_t count) {
  body["sampler_name"] = scheduler;
  body["batch_size"] = count;
  // Zeros where the model wants them, as there with SDXL (sd_models_xl.py): null is that here.
  const auto negative = body.find("negative_prompt");
  if (negative != body.end() && *negative == "") *negative = nullptr;
  return body;
}

}  // namespace

Json only_known(const Json& object, const FieldNames& names) {
  if (!object.is_object()) return object;  // FieldReader says what is wrong
  Json known = Json::object();
  for (const Field& field : names.known) {
    for (const std::string& name : field.names) {
      if (const auto found = object.find(name); found != object.end()) known[name] = *found;
    }
  }
  return known;
}

std::string checkpoint_name(std::string name) {
  const std::size_t hash = name.rfind(" [");
  if (hash != std::string::npos && name.back() == ']') name.resize(hash);
  const std::string ending = ".safetensors";
  if (name.size() > ending.size() &&
      name.compare(name.size() - ending.size(), ending.size(), ending) == 0) {
    name.resize(name.size() - ending.size());
  }
  return name;
}

const FieldNames& automatic1111_fields() {
  constexpr bool kNullIsAbsent = true;
  static const FieldNames kFields = {{{"prompt", {"prompt"}, kNullIsAbsent},
                                      {"negative_prompt", {"negative_prompt"}},
                                      {"seed", {"seed"}, kNullIsAbsent},
                                      {"steps", {"steps"}, kNullIsAbsent},
                                      {"guidance_scale", {"cfg_scale"}, kNullIsAbsent},
                                      {"width", {"width"}, kNullIsAbsent},
                                      {"height", {"height"}, kNullIsAbsent},
                                      {"num_images", {"batch_size"}, kNullIsAbsent},
                                      {"n_iter", {"n_iter"}, kNullIsAbsent},
                                      {"scheduler", {"sampler_name"}, kNullIsAbsent},
                                      {"sampler_index", {"sampler_index"}, kNullIsAbsent},
                                      {"schedule", {"scheduler"}, kNullIsAbsent},
                                      {"override_settings", {"override_settings"}, kNullIsAbsent},
                                      {"send_images", {"send_images"}, kNullIsAbsent},
                                      {"enable_hr", {"enable_hr"}, kNullIsAbsent},
                                      {"tiling", {"tiling"}, kNullIsAbsent},
                                      {"restore_faces", {"restore_faces"}, kNullIsAbsent},
                                      {"refiner_checkpoint", {"refiner_checkpoint"}, kNullIsAbsent},
                                      {"script_name", {"script_name"}, kNullIsAbsent},
                                      {"infotext", {"infotext"}, kNullIsAbsent},
                                      {"styles", {"styles"}, kNullIsAbsent},
                                      {"alwayson_scripts", {"alwayson_scripts"}, kNullIsAbsent},
                                      {"subseed_strength", {"subseed_strength"}, kNullIsAbsent},
                                      {"seed_resize_from_w", {"seed_resize_from_w"}, kNullIsAbsent},
                                      {"seed_resize_from_h", {"seed_resize_from_h"}, kNullIsAbsent},
                                      {"eta", {"eta"}, kNullIsAbsent},
                                      {"s_churn", {"s_churn"}, kNullIsAbsent},
                                      {"s_noise", {"s_noise"}, kNullIsAbsent},
                                      {"s_min_uncond", {"s_min_uncond"}, kNullIsAbsent}}};
  return kFields;
}

const FieldNames& automatic1111_settings() {
  constexpr bool kNullIsAbsent = true;
  static const FieldNames kFields = {
      {{"model", {"sd_model_checkpoint"}, kNullIsAbsent},
       {"vae", {"sd_vae"}, kNullIsAbsent},
       {"stop_at_last_layers", {"CLIP_stop_at_last_layers"}, kNullIsAbsent},
       {"format", {"samples_format"}, kNullIsAbsent},
       {"quality", {"jpeg_quality"}, kNullIsAbsent},
       {"tiling", {"tiling"}, kNullIsAbsent},
       {"face_restoration", {"face_restoration"}, kNullIsAbsent},
       {"eta_ancestral", {"eta_ancestral"}, kNullIsAbsent},
       {"eta_ddim", {"eta_ddim"}, kNullIsAbsent},
       {"s_churn", {"s_churn"}, kNullIsAbsent}}};
  return kFields;
}

ImageRequest parse_automatic1111(const Json& body, const RequestContext& context,
                                 const ModelInfo& model, const RequestRules& rules) {
  const Json known =
      numbers_of_texts(only_known(body, automatic1111_fields()),
                       {"seed", "steps", "cfg_scale", "width", "height", "batch_size", "n_iter",
                        "eta", "subseed_strength", "seed_resize_from_w", "seed_resize_from_h",
                        "s_churn", "s_noise", "s_min_uncond"});
  const FieldReader theirs(known, automatic1111_fields(), context.body);
  check_unsupported(theirs);
  const std::string scheduler = read_sampler(theirs, model);
  check_noise(theirs, scheduler);
  const Settings settings = read_settings(theirs, context, model, rules);

  const Json ours = translated(known, scheduler, read_count(theirs, rules));
  const FieldReader fields(ours, automatic1111_fields(), context.body);
  ImageRequest request = read_pictures(fields, default_request(model), model, rules);
  for (GenerationRequest& picture : request.pictures) picture.clip_skip = settings.clip_skip;
  check_networks(request.pictures.front().prompt, fields);

  request.reply = ReplyKind::JsonText;
  request.format = settings.format;
  request.quality = settings.quality;
  request.sends_images = theirs.boolean("send_images").value_or(true);
  request.batch_size =
      static_cast<int>(theirs.integer("num_images", 1, rules.max_images).value_or(1));
  if (request.batch_size == 1 && request.pictures.size() > 1) request.count_field = "n_iter";
  choose_reply(AcceptHeader(context.accept), request.reply, request.format);
  return request;
}

const Dialect& automatic1111_dialect() {
  static const Dialect kDialect = {parse_automatic1111, automatic1111_reply};
  return kDialect;
}

}  // namespace ssd1b
