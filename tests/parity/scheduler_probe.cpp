// Samples with a made-up model: `ssd1b-scheduler-probe LATENTS < JOBS > ANSWERS`, a JSON object a
// line. The latents before the first call and after each go to the file LATENTS as float32, one job
// after the other.
#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Parallel.h>

#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "inference/schedulers/scheduler_choice.h"
#include "ssd1b/error.h"

namespace {

using Json = nlohmann::json;

at::ScalarType dtype_of(const Json& job) {
  const std::string name = job.value("dtype", "float32");
  if (name == "float16") return at::kHalf;
  return name == "bfloat16" ? at::kBFloat16 : at::kFloat;
}

/// Nonlinear, different at every timestep and place; the test computes the same in Python.
at::Tensor answer_of(const at::Tensor& input, double timestep) {
  const at::Tensor places =
      at::linspace(-2.0, 2.0, input.numel()).reshape(input.sizes()).to(input.scalar_type());
  return 0.8 * at::sin(1.7 * input + 0.003 * timestep + places) + 0.3 * input;
}

double size_of(const at::Tensor& values) {
  return values.to(at::kFloat).abs().sum().item<double>();
}

void write(std::ofstream& file, const at::Tensor& latents) {
  const at::Tensor values = latents.to(at::kFloat).contiguous();
  file.write(static_cast<const char*>(values.const_data_ptr()),
             static_cast<std::streamsize>(values.nbytes()));
}

ssd1b::SchedulerStart start_of(const Json& job) {
  const at::ScalarType dtype = dtype_of(job);
  const std::vector<std::int64_t> shape = job.at("shape");
  auto generator = at::detail::createCPUGenerator(job.at("seed").get<std::uint64_t>());
  ssd1b::SchedulerStart start;
  start.steps = job.at("steps");
  start.start_index = job.value("start_index", 0);
  if (job.value("from_image", false)) {
    start.image = at::randn(shape, generator, at::TensorOptions(dtype)) * 0.7;
  }
  start.noise = at::randn(shape, generator, at::TensorOptions(dtype));
  start.noise_source = [=](at::ScalarType wanted) {
    return at::randn(shape, generator, at::TensorOptions(wanted));
  };
  return start;
}

Json sample(const Json& job, std::ofstream& file) {
  const Json& config = job.at("config");  // an object, or the text of a file
  const auto document = ssd1b::ConfigDocument::parse(
      config.is_string() ? config.get<std::string>() : config.dump(), "scheduler_config.json");
  const ssd1b::SchedulerChoice choice(document, job.at("class"));
  const auto scheduler = choice.make(choice.name_of(job.at("name")), start_of(job));
  Json answer = {{"timesteps", Json::array()}, {"input_scales", Json::array()}};
  write(file, scheduler->latents());
  while (const auto timestep = scheduler->next_timestep()) {
    const at::Tensor input = scheduler->model_input();
    answer["timesteps"].push_back(*timestep);
    answer["input_scales"].push_back(size_of(input) / size_of(scheduler->latents()));
    scheduler->feed(answer_of(input, *timestep));
    write(file, scheduler->latents());
  }
  return answer;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: ssd1b-scheduler-probe LATENTS < JOBS > ANSWERS\n";
    return 64;
  }
  std::ofstream file(argv[1], std::ios::binary);
  const at::InferenceMode inference;
  at::set_num_threads(1);
  for (std::string line; std::getline(std::cin, line);) {
    const std::streamoff before = file.tellp();
    try {
      std::cout << sample(Json::parse(line), file).dump() << "\n";
    } catch (const ssd1b::Error& error) {
      file.seekp(before);
      std::cout << Json{{"error", error.what()}, {"code", ssd1b::name_of(error.code())}}.dump()
                << "\n";
    }
  }
  return file.good() ? 0 : 71;
}
