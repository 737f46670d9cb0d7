// ssd1b-fake-worker: the real wire and the real worker loop around a fake engine. Takes the command
// line of the real worker and ignores what is about a model; README.md beside this file lists the
// faults that can be ordered.
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "support/fake_engine.h"
#include "worker_loop/worker_loop.h"

namespace {

using namespace ssd1b;

struct CommandLine {
  int descriptor = -1;
  std::string device = "cpu";
  std::string max_batch = "4";
  bool lists_devices = false;
};

/// Splits --flag=value as well as --flag value; flags of a model are read over.
CommandLine command_line_of(const std::vector<std::string>& arguments) {
  CommandLine line;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const auto equals = arguments[i].find('=');
    const std::string flag = arguments[i].substr(0, equals);
    std::string value;
    if (equals != std::string::npos) value = arguments[i].substr(equals + 1);
    if (equals == std::string::npos && i + 1 < arguments.size()) value = arguments[i + 1];
    if (flag == "--list-devices") line.lists_devices = true;
    if (flag == "--fd") line.descriptor = std::stoi(value);
    if (flag == "--device") line.device = value;
    if (flag == "--max-batch") line.max_batch = value;
  }
  return line;
}

std::string variable(const char* name, const std::string& otherwise = "") {
  const char* value = std::getenv(name);
  return value ? value : otherwise;
}

bool names(const std::string& comma_list, const std::string& device) {
  return ("," + comma_list + ",").find("," + device + ",") != std::string::npos;
}

/// Whether a thing happens for the first time in the lives of all workers of a test: a file in
/// SSD1B_FAKE_STATE_DIR remembers it.
bool is_first_time(const std::string& key) {
  const std::string path = variable("SSD1B_FAKE_STATE_DIR") + "/" + key;
  const int file = open(path.c_str(), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
  if (file < 0) return false;
  close(file);
  return true;
}

void load(const std::string& device, const std::function<void()>& tick) {
  const auto load_time = duration_of(variable("SSD1B_FAKE_LOAD_TIME", "0ms"));
  const auto until = std::chrono::steady_clock::now() + load_time;
  while (std::chrono::steady_clock::now() < until) {
    tick();
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  const auto slow_disk = duration_of(variable("SSD1B_FAKE_SLOW_DISK", "0ms"));
  const auto read_until = std::chrono::steady_clock::now() + slow_disk;
  while (std::chrono::steady_clock::now() < read_until) {
    std::ifstream("/proc/self/exe").get();
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  while (names(variable("SSD1B_FAKE_HANGING_DEVICES"), device)) {
    std::this_thread::sleep_for(std::chrono::hours(1));
  }
  if (names(variable("SSD1B_FAKE_EXITING_DEVICES"), device)) _exit(1);
  if (names(variable("SSD1B_FAKE_BAD_DEVICES"), device)) {
    throw Error(ErrorCode::NoDevice, device + " cannot be used: it was ordered so");
  }
  const std::string failing = variable("SSD1B_FAKE_FAILING_STARTS", "0");
  for (int i = 0; i < std::stoi(failing); ++i) {
    if (is_first_time("start-" + std::to_string(i))) _exit(1);
  }
  const int status = std::stoi(variable("SSD1B_FAKE_LOAD_STATUS", "0"));
  if (status == 64) throw Error(ErrorCode::Usage, "--dtype was ordered to be wrong");
  if (status == 65) throw Error(ErrorCode::BadModel, "unet/config.json was ordered to be wrong");
  if (status == 69) throw Error(ErrorCode::NoDevice, "no device was ordered");
  if (status != 0) _exit(status);
}

std::unique_ptr<Engine> open_fake(const CommandLine& line, const std::function<void()>& tick) {
  load(line.device, tick);
  FakeEngineOptions options;
  options.device = line.device;
  options.max_pictures = std::stoi(variable("SSD1B_FAKE_MAX_PICTURES", line.max_batch));
  options.step_time = duration_of(variable("SSD1B_FAKE_STEP_TIME", "0ms"));
  if (names(variable("SSD1B_FAKE_SLOW_DEVICES"), line.device)) {
    options.step_time = std::chrono::milliseconds(200);
  }
  options.is_first_picture_nan = !variable("SSD1B_FAKE_FIRST_NAN").empty();
  options.tick = tick;
  options.garble = [descriptor = line.descriptor] {
    const std::string garbage(64, 'x');
    send(descriptor, garbage.data(), garbage.size(), MSG_NOSIGNAL);
  };
  if (!variable("SSD1B_FAKE_STATE_DIR").empty()) options.is_first_time = is_first_time;
  return std::make_unique<FakeEngine>(std::move(options));
}

}  // namespace

int main(int argc, char** argv) {
  const CommandLine line = command_line_of({argv + 1, argv + argc});
  if (line.lists_devices) {
    const std::string cpu = R"([{"name": "cpu", "usable": true, "why_not": null,)"
                            R"( "description": "fake", "memory_bytes": 1}])";
    std::puts(variable("SSD1B_FAKE_DEVICES", cpu).c_str());
    return 0;
  }
  if (line.descriptor < 0) {
    std::fputs("--fd must name the socket to the server\n", stderr);
    return 64;
  }
  return run_worker(line.descriptor,
                    [&](std::function<void()> tick) { return open_fake(line, tick); });
}
