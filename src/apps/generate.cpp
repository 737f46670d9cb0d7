#include "apps/made_pictures.h"
#include "apps/process_memory.h"
#include "apps/run_program.h"
#include "logging/log.h"
#include "options/picture_request.h"

namespace ssd1b {
namespace {

int run(int argc, const char* const* argv) {
  const GenerateOptions options = parse_generate(argc, argv);
  if (options.text_to_print) return print_and_end(*options.text_to_print);
  keep_freed_memory();
  set_up_logging(options.log.level, options.log.format);
  const std::string device = one_device(options.pipeline.device, list_devices());
  log_info("device chosen", {{"device", device}});
  ModelOptions model = model_options(options.pipeline, device);
  model.keep_latents = options.latents.has_value();
  const std::unique_ptr<Engine> engine = open_model(model);
  make_pictures(*engine, picture_request(options.picture, engine->model()), options);
  return 0;
}

}  // namespace
}  // namespace ssd1b

int main(int argc, char** argv) {
  return ssd1b::run_program("ssd1b-generate", [&] { return ssd1b::run(argc, argv); });
}
