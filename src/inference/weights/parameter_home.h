#pragma once

#include <ATen/core/Tensor.h>
#include <c10/core/Device.h>

#include <utility>
#include <vector>

#include "inference/weights/bind.h"

namespace ssd1b {

/// The parameters of a module that lives in the host's memory and visits a device to compute.
/// Points into the module, which must stay where it is. Used by one thread.
class ParameterHome {
 public:
  /// Remembers the values that the module has now. For a GPU they are moved to pinned memory.
  ParameterHome(const ParameterWalk& walk, const c10::Device& device);

  void go_to_device();
  /// Gives the device's copies up.
  void come_home();

 private:
  struct Part {
    Parameter* parameter = nullptr;
    Parameter* whole = nullptr;  // the stack whose rows it is
    std::int64_t first_row = 0;
  };
  class Collector;

  void set(bool on_device);

  std::vector<std::pair<Parameter*, at::Tensor>> homes_;  // of what has storage of its own
  std::vector<Part> parts_;                               // views of stacks
  c10::Device device_;
};

}  // namespace ssd1b
