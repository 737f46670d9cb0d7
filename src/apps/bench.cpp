#include <cstdio>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>

#include "apps/process_memory.h"
#include "apps/run_program.h"
#include "apps/stage_times.h"
#include "logging/log.h"
#include "options/picture_request.h"
#include "service/image_files/image_files.h"

namespace ssd1b {
namespace {

using Json = nlohmann::ordered_json;

/// The request with blanks behind its prompt: the same tokens, but a prompt that the engine has not
/// encoded yet (it keeps the encodings of the pictures in the making).
GenerationRequest fresh(GenerationRequest request, int run, const ModelInfo& model) {
  request.prompt += std::string(static_cast<std::size_t>(run % (model.max_pictures + 1)), ' ');
  return request;
}

/// One request from its admission to the bytes of a PNG.
void time_request(Engine& engine, const GenerationRequest& request, StageTimes& times) {
  times.add("request_to_png", time_of([&] {
              const GeneratedImage picture = time_picture(engine, request, times);
              times.add("png", time_of([&] { encode(picture.image, ImageFormat::Png); }));
            }));
}

/// This process's memory in MB (10^6 bytes), now and at most so far.
Json memory_mb() {
  Json memory;
  std::ifstream status("/proc/self/status");
  for (std::string word; status >> word;) {
    double kib = 0.0;
    if (word == "VmRSS:" && status >> kib) memory["resident"] = kib * 1024 / 1e6;
    if (word == "VmHWM:" && status >> kib) memory["peak"] = kib * 1024 / 1e6;
  }
  return memory;
}

Json settings(const ModelInfo& model, const GenerationRequest& request,
              const BenchOptions& options) {
  return {{"model", options.pipeline.model.string()},
          {"type", model.type},
          {"device", model.device},
          {"dtype", model.dtype},
          {"vae_dtype", model.vae_dtype},
          {"libtorch", model.libtorch_version},
          {"width", request.width_px},
          {"height", request.height_px},
          {"steps", request.steps},
          {"guidance_scale", request.guidance_scale},
          {"scheduler", request.scheduler},
          {"warmup", options.warmup},
          {"runs", options.runs}};
}

int run(int argc, const char* const* argv) {
  const BenchOptions options = parse_bench(argc, argv);
  if (options.text_to_print) return print_and_end(*options.text_to_print);
  keep_freed_memory();
  set_up_logging(options.log.level, options.log.format);
  const std::string device = one_device(options.pipeline.device, list_devices());
  log_info("device chosen", {{"device", device}});
  const ModelOptions model = model_options(options.pipeline, device);
  StageTimes times;
  std::unique_ptr<Engine> engine;
  times.add("load", time_of([&] { engine = open_model(model); }));
  const Json memory = memory_mb();
  const GenerationRequest request = picture_request(options.picture, engine->model());
  StageTimes ignored;
  for (int i = 0; i < options.warmup + options.runs; ++i) {
    time_request(*engine, fresh(request, i, engine->model()), i < options.warmup ? ignored : times);
  }

  Json document = settings(engine->model(), request, options);
  document["memory_after_load_mb"] = memory;
  document["stages"] = Json::parse(times.json());
  std::fputs(times.table().c_str(), stderr);
  return print_and_end(
      document.dump(/*indent=*/2, ' ', /*ensure_ascii=*/false, Json::error_handler_t::replace) +
      "\n");
}

}  // namespace
}  // namespace ssd1b

int main(int argc, char** argv) {
  return ssd1b::run_program("ssd1b-bench", [&] { return ssd1b::run(argc, argv); });
}
