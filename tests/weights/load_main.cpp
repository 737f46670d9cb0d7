// ssd1b-load-weights reads a model as the engine does and writes what it read, so that pytest can
// compare it with what others read: ssd1b-load-weights MODEL COMPONENT OUTPUT.
#include <ATen/ATen.h>

#include <CLI/CLI.hpp>
#include <iostream>
#include <map>

#include "inference/weights/bind.h"
#include "inference/weights/lora/lora.h"
#include "inference/weights/model_folder.h"
#include "inference/weights/safetensors_writer.h"
#include "ssd1b/error.h"

namespace ssd1b {
namespace {

struct Arguments {
  std::string model, component, output, variant, shipped;
  std::string dtype = "float32";
  bool config = false;
  std::vector<std::string> loras;
  double scale = 1.0;  // of each LoRA
};

const std::map<std::string, std::pair<at::ScalarType, Dtype>> kDtypes = {
    {"float32", {at::kFloat, Dtype::F32}},
    {"float16", {at::kHalf, Dtype::F16}},
    {"bfloat16", {at::kBFloat16, Dtype::BF16}},
};

TensorData data_of(const at::Tensor& tensor, Dtype dtype) {
  TensorData data{dtype, tensor.sizes().vec(), {}};
  const auto* bytes = static_cast<const std::uint8_t*>(tensor.const_data_ptr());
  data.bytes.assign(bytes, bytes + tensor.nbytes());
  return data;
}

void run(const Arguments& arguments) {
  ModelFolder model = ModelFolder::open(arguments.model, arguments.variant, arguments.shipped);
  if (arguments.config) {
    std::cout << model.config(arguments.component).to_json() << '\n';
    return;
  }
  LoraTarget target{"this model", {}};
  for (const char* component : {"unet", "text_encoder", "text_encoder_2"}) {
    target.components[component] = &model.weights(component);
  }
  for (const std::string& lora : arguments.loras) add_lora(lora, arguments.scale, target);
  const ComponentWeights& weights = model.weights(arguments.component);
  const auto [torch_dtype, dtype] = kDtypes.at(arguments.dtype);
  std::map<std::string, Parameter> parameters;
  for (const auto& [name, source] : weights.tensors) parameters[name] = Parameter(source.shape);
  LoadOptions options;
  options.dtype = torch_dtype;
  const auto walk = [&](ParameterVisitor& visitor) {
    for (auto& [name, parameter] : parameters) visitor.visit(name, parameter);
  };
  fill_parameters(plan_parameters(weights, walk, options), options);
  std::map<std::string, TensorData> read;
  for (const auto& [name, parameter] : parameters) read[name] = data_of(parameter.value, dtype);
  write_safetensors(arguments.output, read);
}

}  // namespace
}  // namespace ssd1b

int main(int argc, char** argv) {
  ssd1b::Arguments arguments;
  CLI::App app("Reads the weights of a model and writes what was read");
  app.add_option("model", arguments.model)->required();
  app.add_option("component", arguments.component)->required();
  app.add_option("output", arguments.output);
  app.add_option("--variant", arguments.variant);
  app.add_option("--shipped", arguments.shipped);
  app.add_option("--dtype", arguments.dtype)->check(CLI::IsMember(ssd1b::kDtypes));
  app.add_option("--lora", arguments.loras, "a LoRA file, merged; repeatable");
  app.add_option("--scale", arguments.scale, "of the LoRA files");
  app.add_flag("--config", arguments.config, "print the component's config instead");
  CLI11_PARSE(app, argc, argv);
  try {
    ssd1b::run(arguments);
    return 0;
  } catch (const ssd1b::Error& error) {
    std::cerr << error.what() << '\n';
    return ssd1b::exit_status_of(error.code());
  }
}
