#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

namespace ssd1b {

/// One device as `ssd1b-worker --list-devices` prints it.
struct ListedDevice {
  std::string name;
  bool is_usable = false;
  std::string why_not;
};

/// The devices to start workers on.
struct DeviceChoice {
  std::vector<std::string> devices;
  bool is_automatic = false;          // a GPU that fails later may be left out
  std::vector<std::string> warnings;  // why the CPU, which GPU was left out
};

/// Whether the files of a GPU driver are there: without them nobody needs to be asked.
bool may_have_gpu_driver();

/// Throws Error(NoDevice) for text that is not the list.
std::vector<ListedDevice> device_list_from(const std::string& json);

/// `wanted`: auto, cpu, cuda or a list as cuda:0,cuda:1. `list` is asked only for auto and cuda,
/// and only where `has_driver`; with auto an Error of it is a warning, and the choice the CPU.
/// Throws Error(NoDevice), and with cuda what `list` throws.
DeviceChoice choose_devices(const std::string& wanted, bool has_driver,
                            const std::function<std::vector<ListedDevice>()>& list);

/// What `worker --list-devices` prints. Blocks until it ends, for at most a minute, or until
/// `keep_going`, called every 100 ms, says no. Throws Error(NoDevice) where it has printed
/// nothing.
std::string ask_for_devices(const std::filesystem::path& worker,
                            const std::function<bool()>& keep_going);

}  // namespace ssd1b
