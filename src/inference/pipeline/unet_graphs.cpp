#include "inference/pipeline/unet_graphs.h"

#include <ATen/ATen.h>
#include <c10/util/Exception.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <utility>

#include "inference/weights/want_of_memory.h"
#include "logging/log.h"
#include "ssd1b/error.h"

namespace ssd1b {
namespace {

using Stopwatch = std::chrono::steady_clock;

PromptKeysValues copy_of(const PromptKeysValues& prompt) {
  PromptKeysValues copy;
  for (const KeysValues& each : prompt) copy.push_back({each.keys.clone(), each.values.clone()});
  return copy;
}

/// Tells a prompt's tensors, which are made together, from those of another.
at::Tensor mark_of(const PromptKeysValues& prompt) {
  return prompt.empty() ? at::Tensor() : prompt.front().keys;
}

/// Both contiguous on the host. Bytes, so that a NaN equals itself.
bool have_same_bytes(const at::Tensor& a, const at::Tensor& b) {
  return a.sizes() == b.sizes() && a.scalar_type() == b.scalar_type() &&
         std::memcmp(a.const_data_ptr(), b.const_data_ptr(), a.nbytes()) == 0;
}

}  // namespace

/// One call with the tensors that its graph reads and writes, whose addresses do not change.
class RecordedCall {
 public:
  explicit RecordedCall(const UNetInput& input)
      : latents_(input.latents.clone()),
        times_(input.times.clone()),
        prompt_(copy_of(input.prompt)),
        source_(mark_of(input.prompt)) {}

  void record(std::unique_ptr<DeviceGraph> graph, const UNetGraphs::Call& call) {
    graph_ = std::move(graph);
    graph_->record([&] { output_ = call({latents_, times_, prompt_}); });
  }

  at::Tensor replay(const UNetInput& input) {
    latents_.copy_(input.latents);
    times_.copy_(input.times);
    // A picture keeps its prompt, some 70 tensors, for all of its calls.
    if (!source_.is_same(mark_of(input.prompt))) {
      for (std::size_t i = 0; i < prompt_.size(); ++i) {
        prompt_[i].keys.copy_(input.prompt[i].keys);
        prompt_[i].values.copy_(input.prompt[i].values);
      }
      source_ = mark_of(input.prompt);
    }
    graph_->replay();
    return output_.clone();  // the next replay writes there again
  }

 private:
  at::Tensor latents_, times_;
  PromptKeysValues prompt_;
  at::Tensor source_;  // of what prompt_ is a copy
  at::Tensor output_;
  std::unique_ptr<DeviceGraph> graph_;
};

UNetGraphs::UNetGraphs(Call plain, MakeDeviceGraph make_graph, const GraphRoom& room)
    : plain_(std::move(plain)), make_graph_(std::move(make_graph)), room_(room) {}

UNetGraphs::~UNetGraphs() = default;

void UNetGraphs::drop() {
  const bool held_memory =
      std::any_of(sizes_.begin(), sizes_.end(), [](const Size& size) { return !!size.recorded; });
  sizes_.clear();
  if (held_memory) halve_room();
}

void UNetGraphs::halve_room() {
  room_.bytes /= 2;
  log_warn("UNet calls are recorded anew, fewer of them",
           {{"reason", "the device's memory ran out"}, {"bytes", room_.bytes}});
}

at::Tensor UNetGraphs::operator()(const UNetInput& input) {
  ++calls_;
  Size* size = make_graph_ ? find_size(input) : nullptr;
  if (size != nullptr && size->recorded) {
    at::Tensor output;
    if (attempt([&] { output = size->recorded->replay(input); })) return output;
    size = nullptr;  // dropped with all others
  }
  at::Tensor output = plain_(input);
  if (size != nullptr && ++size->plain_calls >= kPlainCalls && has_room_for(*size)) {
    attempt([&] { record(*size, input, output); });
  }
  return output;
}

UNetGraphs::Size* UNetGraphs::find_size(const UNetInput& input) {
  Size wanted;
  wanted.rows = input.latents.size(0);
  wanted.height = input.latents.size(2);
  wanted.width = input.latents.size(3);
  wanted.prompts = input.prompt.empty() ? 0 : input.prompt.front().keys.size(0);
  wanted.last_call = calls_;
  auto found = std::find_if(sizes_.begin(), sizes_.end(), [&](const Size& size) {
    return size.rows == wanted.rows && size.height == wanted.height && size.width == wanted.width &&
           size.prompts == wanted.prompts;
  });
  if (found != sizes_.end()) {
    found->last_call = calls_;
    return &*found;
  }
  if (sizes_.size() < kSizes) return &sizes_.emplace_back(std::move(wanted));
  found = std::find_if(sizes_.begin(), sizes_.end(),
                       [this](const Size& size) { return is_idle(size); });
  if (found == sizes_.end()) return nullptr;
  *found = std::move(wanted);
  return &*found;
}

bool UNetGraphs::has_room_for(const Size& wanted) {
  std::int64_t bytes = bytes_of(wanted);
  for (Size& size : sizes_) {
    if (is_idle(size)) size.recorded.reset();
    if (size.recorded) bytes += bytes_of(size);
  }
  return bytes <= room_.bytes;
}

void UNetGraphs::record(Size& size, const UNetInput& input, const at::Tensor& output) {
  const at::Tensor wanted = output.contiguous().cpu();  // waits: no graph runs while one is made
  const auto begin = Stopwatch::now();
  auto recorded = std::make_unique<RecordedCall>(input);
  recorded->record(make_graph_(), plain_);
  const at::Tensor got = recorded->replay(input).contiguous().cpu();
  if (!have_same_bytes(got, wanted)) {
    // The same kernels on the same values: a picture must not depend on which of its calls were
    // replays.
    const double difference =
        (got.to(at::kFloat) - wanted.to(at::kFloat)).abs().max().item<double>();
    throw Error(ErrorCode::InternalError,
                "a replay differs from the plain call by " + std::to_string(difference));
  }
  size.recorded = std::move(recorded);
  const std::chrono::duration<double, std::milli> passed = Stopwatch::now() - begin;
  log_info("UNet call recorded", {{"rows", size.rows},
                                  {"prompts", size.prompts},
                                  {"height", size.height},
                                  {"width", size.width},
                                  {"ms", passed.count()}});
}

bool UNetGraphs::attempt(const std::function<void()>& work) {
  try {
    work();
    return true;
  } catch (const std::exception& error) {
    sizes_.clear();
    if (is_out_of_memory(error)) {
      halve_room();
      return false;
    }
    const auto* torch = dynamic_cast<const c10::Error*>(&error);
    const std::string why = torch ? torch->what_without_backtrace() : error.what();
    log_warn("UNet calls are launched kernel by kernel from now on", {{"reason", why}});
    make_graph_ = nullptr;
    return false;
  }
}

}  // namespace ssd1b
