#include <utility>

#include "apps/device_list.h"
#include "apps/process_memory.h"
#include "apps/run_program.h"
#include "logging/log.h"
#include "options/picture_request.h"
#include "worker_loop/worker_loop.h"

namespace ssd1b {
namespace {

int run(int argc, const char* const* argv) {
  const WorkerOptions options = parse_worker(argc, argv);
  if (options.text_to_print) return print_and_end(*options.text_to_print);
  if (options.lists_devices) return print_and_end(device_list_json(list_devices()) + "\n");
  keep_freed_memory();
  set_up_logging(options.log.level, options.log.format);
  return run_worker(options.descriptor, [&](std::function<void()> tick) {
    ModelOptions model = model_options(options.pipeline, options.pipeline.device);
    model.tick = std::move(tick);
    return open_model(model);
  });
}

}  // namespace
}  // namespace ssd1b

int main(int argc, char** argv) {
  return ssd1b::run_program("ssd1b-worker", [&] { return ssd1b::run(argc, argv); });
}
