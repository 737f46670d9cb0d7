#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "inference/device_graph/device_graph.h"
#include "inference/pipeline/memory_plan.h"
#include "inference/unet/unet.h"

namespace ssd1b {

class RecordedCall;

/// Calls the UNet. A size that comes again is recorded as a graph, from then on its calls are
/// replays: the same kernels, launched at once. The first replay is compared with the plain call on
/// the same inputs; where one bit differs, or where recording or replaying fails, a warning is
/// logged and all calls are plain from then on: no caller ever sees such a fault. Where memory ran
/// out, graphs are given up, and have half the room from then on. Used by the device thread only.
class UNetGraphs {
 public:
  using Call = std::function<at::Tensor(const UNetInput&)>;

  /// Plain calls that a size must have had: they make the libraries choose their kernels and load
  /// them, which cannot be recorded.
  static constexpr int kPlainCalls = 2;
  /// Sizes that are kept in mind.
  static constexpr std::size_t kSizes = 16;
  /// A size that has not come for so many calls of others gives way to a new one. Not earlier:
  /// recording costs as much as many replays save.
  static constexpr std::int64_t kIdleCalls = 1000;

  /// Without `make_graph` all calls are plain.
  UNetGraphs(Call plain, MakeDeviceGraph make_graph, const GraphRoom& room);
  ~UNetGraphs();

  /// What `plain` gives for it, in a tensor that is the caller's.
  at::Tensor operator()(const UNetInput& input);

  /// Memory ran out elsewhere: frees all graphs. Sizes that come again are recorded anew.
  void drop();

 private:
  struct Size {
    std::int64_t rows = 0, height = 0, width = 0;  // of the latents
    std::int64_t prompts = 0;                      // rows that have one
    int plain_calls = 0;
    std::int64_t last_call = 0;
    std::unique_ptr<RecordedCall> recorded;
  };

  std::int64_t bytes_of(const Size& size) const {
    return room_.cost.bytes(size.rows, size.height, size.width);
  }
  bool is_idle(const Size& size) const { return calls_ - size.last_call > kIdleCalls; }
  /// nullptr where there is no place for it.
  Size* find_size(const UNetInput& input);
  /// Drops idle graphs to make room.
  bool has_room_for(const Size& size);
  /// Whether `work` went well; if not, there are no graphs any more.
  bool attempt(const std::function<void()>& work);
  void halve_room();
  void record(Size& size, const UNetInput& input, const at::Tensor& output);

  const Call plain_;
  MakeDeviceGraph make_graph_;
  GraphRoom room_;
  std::int64_t calls_ = 0;
  std::vector<Size> sizes_;
};

}  // namespace ssd1b
