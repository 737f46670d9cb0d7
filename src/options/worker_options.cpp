#include "options/option_lists.h"
#include "options/option_values.h"
#include "options/read_options.h"
#include "ssd1b/error.h"

namespace ssd1b {

WorkerOptions parse_worker(int argc, const char* const* argv) {
  WorkerOptions options;
  options.pipeline.device = "cpu";
  const std::vector<Option> list =
      joined({pipeline_list(options.pipeline),
              log_list(options.log),
              {whole_number("fd", options.descriptor, {0, 1 << 20})
                   .only_as_flag()
                   .by_default("none")
                   .says("the socket to the server that started this worker"),
               on_or_off("list-devices", options.lists_devices)
                   .only_as_flag()
                   .says("print the devices of this machine as JSON and end")}});
  const Program program{"ssd1b-worker", "the model on one device; ssd1b-server starts it",
                        /*reads_flags_only=*/true};
  options.text_to_print = read_options(program, list, argc, argv).text_to_print;
  if (options.text_to_print || options.lists_devices) return options;
  const std::string& device = options.pipeline.device;
  if (device == "auto" || device == "cuda" || device.find(',') != std::string::npos) {
    throw Error(ErrorCode::Usage,
                "--device of a worker must be cpu or cuda:N, got " + in_quotes(device));
  }
  if (options.descriptor < 0) {
    throw Error(ErrorCode::Usage,
                "--fd must be given: ssd1b-worker is started by ssd1b-server, not by hand");
  }
  complete(options.pipeline);
  return options;
}

std::vector<std::string> worker_arguments(const PipelineOptions& pipeline,
                                          const std::string& device, const LogOptions& log) {
  std::vector<std::string> arguments;
  const auto add = [&](const std::string& flag, const std::string& value) {
    arguments.push_back("--" + flag + "=" + value);
  };
  if (!pipeline.model.empty()) add("model", pipeline.model.string());
  if (!pipeline.variant.empty()) add("variant", pipeline.variant);
  add("device", device);
  add("dtype", pipeline.dtype);
  add("vae-dtype", pipeline.vae_dtype);
  if (pipeline.threads > 0) add("threads", std::to_string(pipeline.threads));
  if (pipeline.max_batch > 0) add("max-batch", std::to_string(pipeline.max_batch));
  if (pipeline.batch_invariant) add("batch-invariant", "true");
  for (const std::string& lora : pipeline.loras) add("lora", lora);
  if (pipeline.device_memory_limit_bytes) {
    add("device-memory-limit", std::to_string(*pipeline.device_memory_limit_bytes));
  }
  add("log-level", log.level);
  add("log-format", log.format);
  return arguments;
}

}  // namespace ssd1b
