#include "service/workers/device_choice.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <chrono>
#include <nlohmann/json.hpp>
#include <sstream>
#include <utility>

#include "descriptor/descriptor.h"
#include "service/workers/child_process.h"
#include "ssd1b/error.h"

namespace ssd1b {
namespace {

constexpr std::chrono::seconds kAnswerWithin{60};
constexpr std::size_t kMaxAnswerBytes = 64 * 1024;

constexpr const char* kNoDriver =
    "no NVIDIA driver was found; driver 580 or newer is needed (CUDA 13): install it, start a "
    "container with --gpus all, or build with another libtorch";

bool is_gpu(const std::string& name) { return name.rfind("cuda", 0) == 0; }

std::vector<std::string> split(const std::string& list) {
  std::vector<std::string> names;
  std::istringstream in(list);
  for (std::string name; std::getline(in, name, ',');) names.push_back(name);
  return names;
}

DeviceChoice choose_gpus(const std::vector<ListedDevice>& listed) {
  DeviceChoice choice;
  for (const ListedDevice& each : listed) {
    if (!is_gpu(each.name)) continue;
    if (each.is_usable) {
      choice.devices.push_back(each.name);
    } else {
      choice.warnings.push_back(each.name + ": " + each.why_not);
    }
  }
  return choice;
}

DeviceChoice choose_listed(const std::function<std::vector<ListedDevice>()>& list,
                           bool is_automatic) {
  try {
    return choose_gpus(list());
  } catch (const Error& error) {
    if (!is_automatic) throw;
    DeviceChoice none;
    none.warnings.push_back(error.what());
    return none;
  }
}

}  // namespace

bool may_have_gpu_driver() {
  for (const char* path : {"/dev/nvidiactl", "/dev/nvidia0", "/proc/driver/nvidia", "/dev/dxg"}) {
    if (access(path, F_OK) == 0) return true;
  }
  return false;
}

std::vector<ListedDevice> device_list_from(const std::string& text) {
  try {
    std::vector<ListedDevice> list;
    for (const auto& each : nlohmann::json::parse(text)) {
      ListedDevice device;
      device.name = each.at("name").get<std::string>();
      device.is_usable = each.at("usable").get<bool>();
      if (!device.is_usable) device.why_not = each.at("why_not").get<std::string>();
      list.push_back(std::move(device));
    }
    return list;
  } catch (const nlohmann::json::exception&) {
    throw Error(ErrorCode::NoDevice,
                "the worker's --list-devices must print a list of devices as JSON");
  }
}

DeviceChoice choose_devices(const std::string& wanted, bool has_driver,
                            const std::function<std::vector<ListedDevice>()>& list) {
  const bool is_automatic = wanted == "auto";
  if (is_automatic || wanted == "cuda") {
    DeviceChoice choice;
    if (has_driver) {
      choice = choose_listed(list, is_automatic);
    } else {
      choice.warnings.push_back(kNoDriver);
    }
    choice.is_automatic = is_automatic;
    if (!choice.devices.empty()) return choice;
    if (is_automatic) {
      choice.devices.push_back("cpu");
      return choice;
    }
    throw Error(ErrorCode::NoDevice, choice.warnings.empty()
                                         ? "--device cuda: libtorch finds no GPU"
                                         : "--device cuda: " + choice.warnings.front());
  }
  DeviceChoice choice;
  choice.devices = split(wanted);
  for (const std::string& each : choice.devices) {
    if (is_gpu(each) && !has_driver) {
      throw Error(ErrorCode::NoDevice, "--device " + each + ": " + kNoDriver);
    }
  }
  return choice;
}

std::string ask_for_devices(const std::filesystem::path& worker,
                            const std::function<bool()>& keep_going) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) < 0) {
    throw Error(ErrorCode::SystemRefused, "no pipe for the list of devices");
  }
  const Descriptor answers(ends[0]);
  Descriptor output(ends[1]);
  ChildDescriptors descriptors;
  descriptors.output = output.get();
  const ChildProcess child(worker, {"--list-devices"}, descriptors);
  output.reset();  // the child has its own copy
  std::string answer;
  const auto give_up_at = std::chrono::steady_clock::now() + kAnswerWithin;
  while (keep_going() && std::chrono::steady_clock::now() < give_up_at) {
    pollfd entry{answers.get(), POLLIN, 0};
    if (poll(&entry, 1, /*timeout_ms=*/100) <= 0) continue;
    char piece[4096];
    const ssize_t count = read(answers.get(), piece, sizeof piece);
    if (count <= 0 || answer.size() > kMaxAnswerBytes) break;
    answer.append(piece, static_cast<std::size_t>(count));
  }
  if (!answer.empty()) return answer;
  const bool is_late = std::chrono::steady_clock::now() >= give_up_at;
  throw Error(ErrorCode::NoDevice, std::string("the worker's --list-devices ") +
                                       (is_late ? "timed out" : "ended without an answer"));
}

}  // namespace ssd1b
