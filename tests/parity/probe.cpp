// ssd1b-probe runs one network of a model on tensors of a file, so that pytest can compare it with
// diffusers, or prints the names and shapes that the network visits.
#include <ATen/ATen.h>
#include <ATen/DeviceAccelerator.h>
#include <ATen/Parallel.h>
#include <c10/core/InferenceMode.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <ctime>
#include <functional>
#include <iostream>
#include <optional>

#include "inference/layers/arrange_weights.h"
#include "inference/pipeline/device_work.h"
#include "inference/pipeline/devices.h"
#include "inference/pipeline/unet_graphs.h"
#include "inference/text_encoder/text_encoder.h"
#include "inference/unet/unet.h"
#include "inference/vae/tiled_decode.h"
#include "inference/vae/vae.h"
#include "inference/weights/bind.h"
#include "inference/weights/model_folder.h"
#include "ssd1b/error.h"
#include "tensor_files.h"

namespace ssd1b {
namespace {

struct ProbeOptions {
  std::string module;  // text_encoder, text_encoder_2, unet, vae_decode, vae_encode
  std::string model, input, output;
  std::string variant;
  std::string dtype = "float32";
  std::string device = "cpu";
  int repeat = 1;
  std::int64_t tile = 0;  // vae_decode: side of a tile in latent pixels; 0: in one piece
  int threads = 0;
  bool names = false;
  bool plain = false;   // weights stay as they are loaded
  bool graphs = false;  // unet: from the third call on replays
};

class NamePrinter : public ParameterVisitor {
 public:
  void visit(const std::string& name, Parameter& parameter) override {
    std::cout << name << '\t' << at::IntArrayRef(parameter.shape) << '\n';
  }
  void stack(Parameter&, std::initializer_list<Parameter*>) override {}
};

at::ScalarType dtype_of(const std::string& name) {
  if (name == "float32") return at::kFloat;
  if (name == "bfloat16") return at::kBFloat16;
  if (name == "float16") return at::kHalf;
  throw Error(ErrorCode::Usage, "--dtype must be float32, bfloat16 or float16, got " + name);
}

/// One network: how to fill it and how to run it.
class Probe {
 public:
  Probe(const ProbeOptions& options, const ModelFolder& model, const c10::Device& device)
      : options_(options), model_(model), device_(device), dtype_(dtype_of(options.dtype)) {
    if (options.names) return;
    for (const auto& [name, tensor] : read_tensors(options.input)) {
      inputs_[name] = tensor.to(device_);
    }
  }

  void run() {
    if (options_.module == "unet") return run_unet();
    if (options_.module == "vae_decode") return run_vae(VaeParts::Decoder);
    if (options_.module == "vae_encode") return run_vae(VaeParts::Both);
    if (options_.module.rfind("text_encoder", 0) == 0) return run_text_encoder();
    throw Error(ErrorCode::Usage, "unknown module " + options_.module);
  }

 private:
  /// The tensor in the computing dtype; undefined where the file has none of this name.
  at::Tensor floats(const std::string& name) const {
    const auto found = inputs_.find(name);
    return found == inputs_.end() ? at::Tensor() : found->second.to(dtype_);
  }

  /// Prints the names, or fills the network and calls it as often as asked.
  template <typename Network>
  void use(Network& network, const std::string& component, const LoadOptions& more,
           const std::function<NamedTensors()>& call) {
    const auto walk = [&](ParameterVisitor& visitor) {
      visit_parameters(network, Scope(visitor, ""));
    };
    if (options_.names) {
      NamePrinter printer;
      return walk(printer);
    }
    LoadOptions load = more;
    load.dtype = dtype_;
    load.device = device_;
    WeightArranger arranger;
    if (!options_.plain) load.arranger = &arranger;
    fill_parameters(plan_parameters(model_.weights(component), walk, load), load);
    NamedTensors results;
    for (int i = 0; i < options_.repeat; ++i) {
      const auto start = std::chrono::steady_clock::now();
      const std::clock_t cpu_start = std::clock();
      results = call();
      if (!device_.is_cpu()) at::accelerator::synchronizeDevice(device_.index());
      const double cpu_ms = 1e3 * static_cast<double>(std::clock() - cpu_start) / CLOCKS_PER_SEC;
      const std::chrono::duration<double, std::milli> passed =
          std::chrono::steady_clock::now() - start;
      std::cout << "call_ms=" << passed.count() << " cpu_ms=" << cpu_ms << '\n';
    }
    std::cout << "ticks=" << ticks_ << '\n';
    write_tensors(options_.output, results);
  }

  void run_unet() {
    UNet unet(UNetConfig::from(model_.config("unet")));
    std::optional<UNetConditioning> conditioning;  // once a picture, so in no call's time
    UNetGraphs call([&](const UNetInput& input) { return unet(input, tick_); },
                    options_.graphs ? device_graphs(device_) : MakeDeviceGraph(),
                    GraphRoom());  // costs nothing: all have room
    use(unet, "unet", {}, [&] {
      if (!conditioning) conditioning = prepare(unet);
      const at::Tensor timesteps = inputs_.at("timesteps").to(device_).unsqueeze(0);
      const at::Tensor times = unet.embed_times(timesteps, *conditioning)[0];
      const UNetInput input{floats("latents"), times, conditioning->prompt};
      return NamedTensors{{"sample", call(input)}};
    });
  }

  UNetConditioning prepare(const UNet& unet) const {
    UNetPrompt prompt{floats("embeddings"), floats("pooled"), floats("time_ids"), {}};
    if (inputs_.count("guidance_scale") != 0) {
      const double scale = inputs_.at("guidance_scale").item<double>();
      prompt.guidance = guidance_sinusoids(scale, unet.config.guidance_width).to(device_, dtype_);
    }
    return unet.prepare(prompt);
  }

  void run_vae(VaeParts parts) {
    Vae vae(VaeConfig::from(model_.config("vae")), parts);
    LoadOptions load;
    load.skipped_prefixes = unvisited_prefixes(vae);
    use(vae, "vae", load, [&]() -> NamedTensors {
      if (parts == VaeParts::Both) {
        const LatentDistribution latents = vae.encode(floats("pixels"), tick_);
        return {{"mean", latents.mean},
                {"std", latents.standard_deviation},
                {"scaled", vae.to_model_space(latents.mean)}};
      }
      const at::Tensor pixels = options_.tile > 0
                                    ? decode_in_tiles(vae, floats("latents"), options_.tile, tick_)
                                    : vae.decode(floats("latents"), tick_);
      const Image image = to_image(pixels.narrow(0, 0, 1));
      const at::Tensor bytes = at::tensor(at::ArrayRef<std::uint8_t>(image.rgb));
      return {{"pixels", pixels}, {"image", bytes.view({image.height_px, image.width_px, 3})}};
    });
  }

  void run_text_encoder() {
    TextEncoder encoder(
        TextEncoderConfig::from(model_.config(options_.module), model_.class_of(options_.module)));
    use(encoder, options_.module, {}, [&] {
      const std::int64_t clip_skip =
          inputs_.count("clip_skip") != 0 ? inputs_.at("clip_skip").item<std::int64_t>() : 0;
      const EncodedText text =
          encoder(inputs_.at("ids"),
                  std::vector<std::int64_t>(inputs_.at("ids").size(0), clip_skip), tick_);
      NamedTensors results{{"hidden", text.hidden}};
      if (text.pooled.defined()) results["pooled"] = text.pooled;
      return results;
    });
  }

  const ProbeOptions& options_;
  const ModelFolder& model_;
  const c10::Device device_;
  at::ScalarType dtype_;
  NamedTensors inputs_;
  int ticks_ = 0;
  Tick tick_ = [this] { ++ticks_; };
};

}  // namespace
}  // namespace ssd1b

int main(int argc, char** argv) {
  ssd1b::ProbeOptions options;
  CLI::App app("Runs one network of a model on tensors of a file");
  app.add_option("module", options.module)->required();
  app.add_option("--model", options.model)->required();
  app.add_option("--variant", options.variant);
  app.add_option("--input", options.input);
  app.add_option("--output", options.output);
  app.add_option("--dtype", options.dtype);
  app.add_option("--device", options.device, "cpu or cuda:N");
  app.add_option("--repeat", options.repeat);
  app.add_option("--tile", options.tile);
  app.add_option("--threads", options.threads);
  app.add_flag("--names", options.names);
  app.add_flag("--plain", options.plain);
  app.add_flag("--graphs", options.graphs);
  CLI11_PARSE(app, argc, argv);
  try {
    const c10::Device device = ssd1b::open_device(options.device);  // before other torch calls
    const c10::InferenceMode inference;
    ssd1b::set_up_device(device);
    ssd1b::prove_kernels(device, {ssd1b::dtype_of(options.dtype), ssd1b::dtype_of(options.dtype)});
    if (options.threads > 0) at::set_num_threads(options.threads);
    const ssd1b::ModelFolder model = ssd1b::ModelFolder::open(options.model, options.variant);
    ssd1b::Probe(options, model, device).run();
  } catch (const ssd1b::Error& error) {
    std::cerr << error.what() << '\n';
    return ssd1b::exit_status_of(error.code());
  } catch (const c10::Error& error) {
    std::cerr << error.what_without_backtrace() << '\n';
    return 1;
  }
  return 0;
}
