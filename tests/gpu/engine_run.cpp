// ssd1b-engine-run feeds an engine with pictures as they arrive and writes what came out and when:
// ssd1b-engine-run REQUESTS.json --model FOLDER [--output FILE.safetensors] prints one JSON object.
#include <ATen/ATen.h>
#include <ATen/DeviceAccelerator.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>
#include <thread>

#include "ssd1b/pipeline.h"
#include "tensor_files.h"

namespace ssd1b {
namespace {

using Json = nlohmann::ordered_json;
using Clock = std::chrono::steady_clock;

struct Arguments {
  ModelOptions model;
  std::string requests, output;
  int warmup = 0;  // times that as many as fit are made at once before the clock starts
};

double ms_since(Clock::time_point begin) {
  return std::chrono::duration<double, std::milli>(Clock::now() - begin).count();
}

/// A picture of the list: when it arrives and what became of it.
struct Arrival {
  GenerationRequest request;
  double arrival_ms = 0.0;
  double end_ms = -1.0;
  std::string fault;
  StageTimings timings;
};

Arrival arrival_of(const Json& json, const ModelInfo& model) {
  Arrival arrival;
  GenerationRequest& request = arrival.request = default_request(model);
  request.prompt = json.at("prompt");
  request.seed = json.value("seed", std::uint64_t{0});
  request.steps = json.value("steps", request.steps);
  request.guidance_scale = json.value("guidance_scale", request.guidance_scale);
  request.scheduler = json.value("scheduler", request.scheduler);
  request.width_px = request.original_width_px = request.target_width_px =
      json.value("width", request.width_px);
  request.height_px = request.original_height_px = request.target_height_px =
      json.value("height", request.height_px);
  arrival.arrival_ms = json.value("arrival_ms", 0.0);
  return arrival;
}

/// Runs the whole list, at most ModelInfo::max_pictures at a time, in order of arrival.
class Run {
 public:
  Run(Engine& engine, std::vector<Arrival>& arrivals) : engine_(engine), arrivals_(arrivals) {}

  void run() {
    begin_ = Clock::now();
    std::size_t ended = 0;
    while (ended < arrivals_.size()) {
      admit_what_has_come();
      if (running_ == 0) {
        std::this_thread::sleep_for(std::chrono::microseconds(200));
        continue;
      }
      for (const PictureEvent& event : engine_.step()) ended += take(event) ? 1 : 0;
      ++units;
    }
    total_ms = ms_since(begin_);
  }

  double total_ms = 0.0;
  int units = 0;
  NamedTensors tensors;

 private:
  void admit_what_has_come() {
    const int places = engine_.model().max_pictures;
    while (next_ < arrivals_.size() && running_ < places &&
           arrivals_[next_].arrival_ms <= ms_since(begin_)) {
      engine_.admit(next_, arrivals_[next_].request);
      ++next_;
      ++running_;
    }
  }

  /// Whether the event ends a picture.
  bool take(const PictureEvent& event) {
    Arrival& arrival = arrivals_[event.id];
    if (const auto* failed = std::get_if<PictureFailed>(&event.what)) {
      arrival.fault = failed->message;
    } else if (const auto* finished = std::get_if<PictureFinished>(&event.what)) {
      keep(event.id, finished->result);
      arrival.timings = finished->result.timings;
    } else {
      return false;
    }
    arrival.end_ms = ms_since(begin_);
    --running_;
    return true;
  }

  void keep(PictureId id, const GeneratedImage& made) {
    const std::string number = std::to_string(id);
    const Image& image = made.image;
    tensors["image." + number] = at::tensor(at::ArrayRef<std::uint8_t>(image.rgb))
                                     .view({image.height_px, image.width_px, 3});
    if (!made.latents.empty()) {
      tensors["latents." + number] = at::tensor(at::ArrayRef<float>(made.latents));
    }
  }

  Engine& engine_;
  std::vector<Arrival>& arrivals_;
  Clock::time_point begin_;
  std::size_t next_ = 0;
  int running_ = 0;
};

Json report(const Run& run, const std::vector<Arrival>& arrivals) {
  Json pictures = Json::array();
  for (const Arrival& each : arrivals) {
    pictures.push_back({{"arrival_ms", each.arrival_ms},
                        {"latency_ms", each.end_ms - each.arrival_ms},
                        {"fault", each.fault},
                        {"text_encoder_ms", each.timings.text_encoder_ms},
                        {"denoise_ms", each.timings.denoise_ms},
                        {"vae_ms", each.timings.vae_ms}});
  }
  return {{"total_ms", run.total_ms}, {"units", run.units}, {"pictures", pictures}};
}

void run(Arguments& arguments) {
  const auto begin = Clock::now();
  arguments.model.keep_latents = true;
  const std::unique_ptr<Engine> engine = open_model(arguments.model);
  const double load_ms = ms_since(begin);
  std::ifstream file(arguments.requests);
  std::vector<Arrival> arrivals;
  for (const Json& each : Json::parse(file)) arrivals.push_back(arrival_of(each, engine->model()));
  const auto places = static_cast<std::size_t>(engine->model().max_pictures);
  for (int i = 0; i < arguments.warmup; ++i) {
    std::vector<Arrival> at_once(arrivals.begin(),
                                 arrivals.begin() + std::min(places, arrivals.size()));
    for (Arrival& each : at_once) each.arrival_ms = 0.0;
    Run(*engine, at_once).run();
  }
  Run all(*engine, arrivals);
  all.run();
  if (!arguments.output.empty()) write_tensors(arguments.output, all.tensors);
  Json document = report(all, arrivals);
  document["load_ms"] = load_ms;
  if (engine->model().device != "cpu") {
    const auto stats = at::accelerator::getDeviceStats(c10::Device(engine->model().device).index());
    document["most_allocated_bytes"] = stats.allocated_bytes.front().peak;  // of all kinds
    document["most_reserved_bytes"] = stats.reserved_bytes.front().peak;
  }
  document["dtype"] = engine->model().dtype;
  document["vae_dtype"] = engine->model().vae_dtype;
  std::cout << document.dump() << '\n';
}

}  // namespace
}  // namespace ssd1b

int main(int argc, char** argv) {
  ssd1b::Arguments arguments;
  CLI::App app("Feeds an engine with pictures as they arrive");
  app.add_option("requests", arguments.requests, "a JSON list of requests")->required();
  app.add_option("--model", arguments.model.model)->required();
  app.add_option("--device", arguments.model.device);
  app.add_option("--dtype", arguments.model.dtype);
  app.add_option("--vae-dtype", arguments.model.vae_dtype);
  app.add_option("--threads", arguments.model.threads);
  app.add_option("--max-batch", arguments.model.max_batch);
  app.add_flag("--batch-invariant", arguments.model.batch_invariant);
  app.add_flag("!--no-graphs", arguments.model.cuda_graphs);
  app.add_option("--device-memory-limit", arguments.model.device_memory_limit_bytes);
  app.add_option("--output", arguments.output);
  app.add_option("--warmup", arguments.warmup);
  CLI11_PARSE(app, argc, argv);
  try {
    ssd1b::run(arguments);
  } catch (const ssd1b::Error& error) {
    std::cerr << error.what() << '\n';
    return ssd1b::exit_status_of(error.code());
  } catch (const std::exception& error) {
    std::cerr << error.what() << '\n';
    return 1;
  }
  return 0;
}
