// A server that is about to be killed: starts the worker given, keeps it busy, writes the worker's
// process id to standard output and waits.
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <thread>

#include "service/workers/dispatcher.h"
#include "support/fake_engine.h"

int main(int, char** argv) {
  using namespace ssd1b;
  ServerOptions options;
  options.worker = argv[1];
  options.pipeline.device = "cpu";
  Metrics metrics;
  Dispatcher dispatcher(options, metrics);
  while (!dispatcher.state().ready) std::this_thread::sleep_for(std::chrono::milliseconds(5));
  GenerationRequest request = default_request(fake_model());
  request.prompt = "delay=1s";
  request.steps = 100;
  const auto jobs = dispatcher.submit({request}, {"", "", Clock::now() + std::chrono::hours(1)});
  pid_t worker = 0;
  for (const auto& thread : std::filesystem::directory_iterator("/proc/self/task")) {
    if (std::ifstream(thread.path() / "children") >> worker) break;
  }
  if (write(STDOUT_FILENO, &worker, sizeof worker) != sizeof worker) return 1;
  pause();
}
