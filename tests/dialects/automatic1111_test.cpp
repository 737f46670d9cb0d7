#include "service/dialects/automatic1111.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "dialects/example_model.h"
#include "service/dialects/sampler_names.h"

namespace ssd1b {
namespace {

/// Schedulers of every kind that the names tell apart.
ModelInfo model_of_many_schedulers() {
  ModelInfo model = example_model();
  model.schedulers.clear();
  for (const char* name :
       {"euler", "euler_karras", "euler_a", "heun", "dpmpp_2m", "dpmpp_2m_karras", "dpmpp_2m_sde",
        "dpmpp_2s", "dpm2", "dpm2_karras", "ddim", "pndm", "unipc", "unipc_karras"}) {
    model.schedulers.push_back({name, "", 150});
  }
  model.schedulers.push_back({"lcm", "LCMScheduler", 50});
  return model;
}

ImageRequest parse(const std::string& body, const ModelInfo& model = model_of_many_schedulers()) {
  return parse_automatic1111(parse_json(body), {"", "", body}, model, example_rules());
}

/// The body of a request with these fields behind its prompt.
std::string body_with(const std::string& fields) { return R"({"prompt": "p", )" + fields + "}"; }

TEST(Automatic1111, ReadsItsFields) {
  const ImageRequest request = parse(R"({
      "prompt": "a (red:1.2) [apple]", "negative_prompt": "b", "seed": 5, "steps": 7,
      "cfg_scale": 3.5, "width": 512, "height": 640, "batch_size": 2, "n_iter": 3,
      "sampler_name": "Euler a", "send_images": false})");

  ASSERT_EQ(request.pictures.size(), 6u);
  const GenerationRequest& last = request.pictures[5];
  EXPECT_EQ(last.prompt, "a (red:1.2) [apple]");
  EXPECT_EQ(last.negative_prompt, "b");
  EXPECT_EQ(last.seed, 10u);
  EXPECT_EQ(last.steps, 7);
  EXPECT_EQ(last.guidance_scale, 3.5);
  EXPECT_EQ(last.width_px, 512);
  EXPECT_EQ(last.height_px, 640);
  EXPECT_EQ(last.original_width_px, 512);
  EXPECT_EQ(last.scheduler, "euler_a");
  EXPECT_EQ(request.batch_size, 2);
  EXPECT_FALSE(request.sends_images);
  EXPECT_EQ(request.reply, ReplyKind::JsonText);
  EXPECT_EQ(request.format, ImageFormat::Png);
}

TEST(Automatic1111, WhatIsAbsentIsTheModelsDefault) {
  for (const char* body : {R"({"prompt": "p"})", R"({"prompt": "p", "seed": -1, "steps": null,
      "cfg_scale": null, "width": null, "height": null, "sampler_name": null, "styles": null,
      "sampler_index": null, "scheduler": null, "batch_size": null, "override_settings": null,
      "alwayson_scripts": null, "script_name": null, "refiner_checkpoint": null, "eta": null})"}) {
    const ImageRequest request = parse(body);

    ASSERT_EQ(request.pictures.size(), 1u);
    EXPECT_EQ(request.pictures[0].steps, 25);
    EXPECT_EQ(request.pictures[0].guidance_scale, 7.5);
    EXPECT_EQ(request.pictures[0].width_px, 1024);
    EXPECT_EQ(request.pictures[0].height_px, 768);
    EXPECT_EQ(request.pictures[0].scheduler, "euler");
    EXPECT_LE(request.pictures[0].seed, UINT32_MAX);
    EXPECT_TRUE(request.sends_images);
  }
}

TEST(Automatic1111, AnEmptyNegativePromptIsNoneEvenWhereTheModelHasOne) {
  ModelInfo model = model_of_many_schedulers();
  model.negative_prompt = "blurred";

  EXPECT_EQ(parse(R"({"prompt": "p"})", model).pictures[0].negative_prompt, "blurred");
  EXPECT_EQ(parse(body_with(R"("negative_prompt": "")"), model).pictures[0].negative_prompt,
            std::nullopt);
}

TEST(Automatic1111, WhatChangesNothingIsIgnored) {
  const ImageRequest request = parse(body_with(R"("enable_hr": false, "hr_scale": 2,
      "hr_upscaler": "Latent", "denoising_strength": 0.7, "firstphase_width": 0,
      "refiner_checkpoint": "None", "refiner_switch_at": 0.8, "styles": ["", "None"],
      "subseed": 3, "subseed_strength": 0, "seed_resize_from_w": -1, "seed_resize_from_h": 0,
      "restore_faces": false, "tiling": false, "do_not_save_samples": true, "save_images": true,
      "eta": 1.0, "s_churn": 0, "s_tmax": 0, "s_tmin": 0, "s_noise": 1, "script_name": "",
      "script_args": [1], "infotext": "", "force_task_id": "x", "comments": {}, "of no one": [],
      "override_settings": {"eta_noise_seed_delta": 1, "sd_vae": "Automatic"},
      "override_settings_restore_afterwards": true, "alwayson_scripts": {"Sampler": {},
      "Seed": {"args": [-1, false, -1, 0, 0, 0]}, "reactor": {"args": ["", false, "0"]},
      "Detectors": {"args": [true, false, {"ad_model": "None"}, {"ad_model": "None"}]},
      "ControlNet": {"args": []}, "ADetailer": {"args": [false, {"ad_model": "a"}]},
      "other": {"args": [null, "", []]}, "units": {"args": [{"enabled": false, "model": "m"}]}})"));

  EXPECT_EQ(request.pictures.size(), 1u);
}

TEST(Automatic1111, TakesNumbersAsTextsAndValuesThatAreOff) {
  const ImageRequest request = parse(body_with(R"("seed": "5", "steps": "20", "cfg_scale": "7",
      "width": "512", "subseed_strength": -0.1, "seed_resize_from_w": -5,
      "override_settings": {"samples_format": "WEBP", "jpeg_quality": "80", "tiling": false,
      "eta_ancestral": 1, "eta_ddim": null, "sd_model_checkpoint": "icons [31e35c80fc]"})"));

  EXPECT_EQ(request.pictures[0].seed, 5u);
  EXPECT_EQ(request.pictures[0].steps, 20);
  EXPECT_EQ(request.pictures[0].guidance_scale, 7.0);
  EXPECT_EQ(request.pictures[0].width_px, 512);
  EXPECT_EQ(request.format, ImageFormat::Webp);
  EXPECT_EQ(request.quality, 80);
}

TEST(Automatic1111, KnowsAModelByTheNamesThatClientsMakeOfIt) {
  EXPECT_EQ(checkpoint_name("icons"), "icons");
  EXPECT_EQ(checkpoint_name("icons.safetensors [31e35c80fc]"), "icons");
  EXPECT_EQ(checkpoint_name("my model [v2] x"), "my model [v2] x");
  EXPECT_EQ(checkpoint_name(".safetensors"), ".safetensors");
  EXPECT_EQ(checkpoint_name(""), "");
}

struct NameCase {
  const char* fields;
  const char* scheduler;
};

TEST(Automatic1111, KnowsSamplersByTheirNamesThere) {
  const NameCase cases[] = {
      {R"("sampler_name": "Euler")", "euler"},
      {R"("sampler_name": "euler A")", "euler_a"},
      {R"("sampler_name": "k_euler_ancestral")", "euler_a"},
      {R"("sampler_name": "Euler", "scheduler": "Automatic")", "euler"},
      {R"("sampler_name": "Euler", "scheduler": "karras")", "euler_karras"},
      {R"("sampler_name": "Euler Karras")", "euler_karras"},
      {R"("sampler_name": "DPM++ 2M")", "dpmpp_2m_karras"},
      {R"("sampler_name": "DPM++ 2M", "scheduler": "Uniform")", "dpmpp_2m"},
      {R"("sampler_name": "DPM++ 2M", "scheduler": "normal")", "dpmpp_2m"},
      {R"("sampler_name": "DPM++ 2M Karras", "scheduler": "Uniform")", "dpmpp_2m_karras"},
      {R"("sampler_name": "dpmpp_2m")", "dpmpp_2m"},
      {R"("sampler_name": "DPMPP_2M_KARRAS")", "dpmpp_2m_karras"},
      {R"("sampler_name": "dpmpp_2m_karras", "scheduler": "Uniform")", "dpmpp_2m"},
      {R"("sampler_name": "DPM++ 2M SDE")", "dpmpp_2m_sde"},
      {R"("sampler_name": "DPM2")", "dpm2_karras"},
      {R"("sampler_name": "dpm2")", "dpm2"},
      {R"("sampler_name": "DDIM", "scheduler": "Karras")", "ddim"},
      {R"("sampler_name": "ddim", "scheduler": "Align Your Steps")", "ddim"},
      {R"("sampler_name": "PLMS")", "pndm"},
      {R"("sampler_name": "UniPC", "scheduler": "Karras")", "unipc_karras"},
      {R"("sampler_index": "Heun")", "heun"},
      {R"("sampler_index": "Heun", "sampler_name": "")", "heun"},
      {R"("sampler_index": "Heun", "sampler_name": "LCM")", "lcm"},
      {R"("scheduler": "Karras")", "euler_karras"},
      {R"("scheduler": "")", "euler"}};

  for (const NameCase& each : cases) {
    EXPECT_EQ(parse(body_with(each.fields)).pictures[0].scheduler, each.scheduler) << each.fields;
  }
}

TEST(Automatic1111, APndmThatBeginsWithRungeKuttaIsNotPlms) {
  ModelInfo model = model_of_many_schedulers();
  for (SchedulerInfo& each : model.schedulers) {
    if (each.name == "pndm") each.min_steps = 4;
  }

  EXPECT_THROW(parse(body_with(R"("sampler_name": "PLMS")"), model), Error);
  EXPECT_EQ(parse(body_with(R"("sampler_name": "pndm")"), model).pictures[0].scheduler, "pndm");
}

TEST(Automatic1111, OverrideSettings) {
  const auto parsed = [](const std::string& settings) {
    return parse(body_with(R"("override_settings": )" + settings));
  };

  EXPECT_NO_THROW(parsed(R"({"sd_model_checkpoint": "icons"})"));
  EXPECT_EQ(parsed(R"({"samples_format": "jpg", "jpeg_quality": 40})").format, ImageFormat::Jpeg);
  EXPECT_EQ(parsed(R"({"samples_format": "webp", "jpeg_quality": 40})").quality, 40);
  EXPECT_EQ(parsed(R"({"CLIP_stop_at_last_layers": 1})").pictures[0].clip_skip, 0);
  EXPECT_EQ(parsed(R"({"CLIP_stop_at_last_layers": 2})").pictures[0].clip_skip, 0);
  EXPECT_EQ(parsed(R"({"CLIP_stop_at_last_layers": 12})").pictures[0].clip_skip, 10);
}

struct BadBody {
  const char* fields;
  ErrorCode code;
  const char* param;
};

TEST(Automatic1111, RefusesWhatWouldBeAnotherPicture) {
  constexpr ErrorCode kNot = ErrorCode::NotSupported;
  constexpr ErrorCode kBad = ErrorCode::InvalidValue;
  const BadBody cases[] = {
      {R"("enable_hr": true)", kNot, "enable_hr"},
      {R"("tiling": true)", kNot, "tiling"},
      {R"("restore_faces": true)", kNot, "restore_faces"},
      {R"("refiner_checkpoint": "x")", kNot, "refiner_checkpoint"},
      {R"("script_name": "x/y/z plot")", kNot, "script_name"},
      {R"("infotext": "Steps: 3")", kNot, "infotext"},
      {R"("styles": ["anime"])", kNot, "styles"},
      {R"("styles": "anime")", kBad, "styles"},
      {R"("subseed_strength": 0.1)", kNot, "subseed_strength"},
      {R"("seed_resize_from_w": 64)", kNot, "seed_resize_from_w"},
      {R"("s_min_uncond": 1)", kNot, "s_min_uncond"},
      {R"("s_churn": 1)", kNot, "s_churn"},
      {R"("sampler_name": "Euler a", "eta": 0.5)", kNot, "eta"},
      {R"("sampler_name": "DDIM", "eta": 1.0)", kNot, "eta"},
      {R"("sampler_name": "DPM++ 2M SDE", "s_noise": 0.9)", kNot, "s_noise"},
      {R"("steps": "twenty")", kBad, "steps"},
      {R"("override_settings": {"tiling": true})", kNot, "override_settings.tiling"},
      {R"("override_settings": {"eta_ancestral": 0})", kNot, "override_settings.eta_ancestral"},
      {R"("override_settings": {"s_churn": 40})", kNot, "override_settings.s_churn"},
      {R"("override_settings": {"samples_format": "gif"})", kBad,
       "override_settings.samples_format"},
      {R"("alwayson_scripts": {"a": {"args": [true, {"ad_model": "face.pt"}]}})", kNot,
       "alwayson_scripts"},
      {R"("alwayson_scripts": {"a": {"args": [true]}})", kNot, "alwayson_scripts"},
      {R"("alwayson_scripts": {"a": {"args": [{"model": "m"}]}})", kNot, "alwayson_scripts"},
      {R"("alwayson_scripts": {"a": {"args": {"model": "m"}}})", kNot, "alwayson_scripts"},
      {R"("alwayson_scripts": [])", kBad, "alwayson_scripts"},
      {R"("override_settings": [])", kBad, "override_settings"},
      {R"("override_settings": {"sd_model_checkpoint": "other"})", ErrorCode::ModelNotFound,
       "override_settings.sd_model_checkpoint"},
      {R"("override_settings": {"sd_vae": "other"})", kNot, "override_settings.sd_vae"},
      {R"("override_settings": {"samples_format": "avif"})", kBad,
       "override_settings.samples_format"},
      {R"("override_settings": {"CLIP_stop_at_last_layers": 13})", kBad,
       "override_settings.CLIP_stop_at_last_layers"},
      {R"("sampler_name": "DPM++ 2S a")", kBad, "sampler_name"},
      {R"("sampler_name": "LMS")", kBad, "sampler_name"},
      {R"("sampler_name": "Euler a Karras")", kBad, "sampler_name"},
      {R"("sampler_name": "Euler Exponential")", kBad, "sampler_name"},
      {R"("sampler_name": 5)", kBad, "sampler_name"},
      {R"("sampler_index": "none")", kBad, "sampler_index"},
      {R"("sampler_name": "Euler a", "scheduler": "Karras")", kBad, "scheduler"},
      {R"("scheduler": "Exponential")", kBad, "scheduler"},
      {R"("sampler_name": "LCM", "steps": 51)", kBad, "steps"},
      {R"("batch_size": 9)", kBad, "batch_size"},
      {R"("batch_size": 0)", kBad, "batch_size"},
      {R"("n_iter": 9)", kBad, "n_iter"},
      {R"("batch_size": 3, "n_iter": 3)", kBad, "n_iter"},
      {R"("negative_prompt": 5)", kBad, "negative_prompt"},
      {R"("width": 513)", kBad, "width"},
      {R"("cfg_scale": 51)", kBad, "cfg_scale"},
      {R"("seed": -2)", kBad, "seed"}};

  for (const BadBody& each : cases) {
    try {
      parse(body_with(each.fields));
      ADD_FAILURE() << each.fields << " was not refused";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), each.code) << each.fields << ": " << error.what();
      EXPECT_EQ(error.param(), each.param) << each.fields << ": " << error.what();
    }
  }
}

TEST(Automatic1111, ThePromptHoldsTextAlone) {
  for (const char* body : {R"({})", R"({"prompt": null})", R"({"prompt": ""})",
                           R"({"prompt": "an <LoRA:x:0.8> apple"})",
                           R"({"prompt": "< <hypernet:x>"})", R"({"prompt": "<lyco:a>"})"}) {
    try {
      parse(body);
      ADD_FAILURE() << body << " was not refused";
    } catch (const Error& error) {
      EXPECT_EQ(error.param(), "prompt") << error.what();
    }
  }
  EXPECT_NO_THROW(parse(R"({"prompt": "x < y > z <lora <lora:"})"));
  EXPECT_NO_THROW(parse(body_with(R"("negative_prompt": "<lora:x:1>")")));
}

TEST(Automatic1111, TheReplyHasWhatItsClientsRead) {
  const ImageRequest request = parse(body_with(R"("seed": 5, "batch_size": 2, "steps": 7,
      "width": 512, "height": 640, "negative_prompt": "b", "sampler_name": "DPM++ 2M",
      "override_settings": {"CLIP_stop_at_last_layers": 3})"));
  PictureReply reply;
  reply.created_at_s = 1672531199;
  reply.model = "icons";
  reply.files = {{"abc", 5, ""}, {"abcd", 6, ""}};

  const Json json = automatic1111_reply(request, reply);

  EXPECT_EQ(json["images"], parse_json(R"(["YWJj", "YWJjZA=="])"));
  EXPECT_EQ(json["parameters"]["steps"], 7);
  EXPECT_EQ(json["parameters"]["scheduler"], "Karras");
  EXPECT_EQ(json["parameters"]["n_iter"], 1);
  const Json info = parse_json(json["info"].get<std::string>());
  EXPECT_EQ(info["seed"], 5);
  EXPECT_EQ(info["all_seeds"], parse_json("[5, 6]"));
  EXPECT_EQ(info["all_prompts"], parse_json(R"(["p", "p"])"));
  EXPECT_EQ(info["all_negative_prompts"], parse_json(R"(["b", "b"])"));
  EXPECT_EQ(info["sampler_name"], "DPM++ 2M");
  EXPECT_EQ(info["clip_skip"], 3);
  EXPECT_EQ(info["sd_model_name"], "icons");
  EXPECT_EQ(info["job_timestamp"], "20221231235959");
  EXPECT_EQ(info["infotexts"][1],
            "p\nNegative prompt: b\nSteps: 7, Sampler: DPM++ 2M, Schedule type: Karras, CFG scale: "
            "7.5, Seed: 6, Size: 512x640, Model: icons, Clip skip: 3");
}

TEST(Automatic1111, ImagesAreSentWhereTheyAreWanted) {
  const ImageRequest request = parse(body_with(R"("send_images": false, "seed": 5)"));
  PictureReply reply;
  reply.files = {{"abc", 5, ""}};

  const Json json = automatic1111_reply(request, reply);

  EXPECT_EQ(json["images"], Json::array());
  EXPECT_EQ(parse_json(json["info"].get<std::string>())["all_seeds"], parse_json("[5]"));
}

TEST(Automatic1111, EveryListedSamplerAndScheduleIsTaken) {
  const ModelInfo model = model_of_many_schedulers();

  for (const Json& sampler : samplers_document(model)) {
    std::vector<Json> names = sampler["aliases"];
    names.push_back(sampler["name"]);
    for (const Json& name : names) {
      const ImageRequest request = parse(body_with("\"sampler_name\": " + name.dump()), model);
      EXPECT_EQ(label_of(request.pictures[0].scheduler).sampler, sampler["name"]) << name;
    }
  }
  for (const Json& schedule : schedulers_document(model)) {
    for (const char* name : {"name", "label"}) {
      const std::string fields =
          R"("sampler_name": "Euler", "scheduler": )" + schedule[name].dump();
      EXPECT_NO_THROW(parse(body_with(fields), model)) << fields;
    }
  }
}

TEST(Automatic1111, ListsOnlyWhatTheModelHas) {
  ModelInfo model = example_model();
  model.schedulers = {{"euler", "", 150}, {"lcm", "", 50}};

  const Json samplers = samplers_document(model);
  const Json schedules = schedulers_document(model);

  ASSERT_EQ(samplers.size(), 2u);
  EXPECT_EQ(samplers[0], parse_json(R"({"name": "Euler", "aliases": ["k_euler"], "options": {}})"));
  EXPECT_EQ(samplers[1]["name"], "LCM");
  ASSERT_EQ(schedules.size(), 2u);
  EXPECT_EQ(schedules[1]["label"], "Uniform");
}

}  // namespace
}  // namespace ssd1b
