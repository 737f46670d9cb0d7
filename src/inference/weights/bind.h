#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <string>
#include <vector>

#include "inference/weights/arranger.h"
#include "inference/weights/component_weights.h"
#include "inference/weights/parameter.h"

namespace ssd1b {

/// Shows a module's parameters to a visitor: `[&](ParameterVisitor& visitor) {
/// visit_parameters(unet, Scope(visitor, "")); }`.
using ParameterWalk = std::function<void(ParameterVisitor&)>;

struct LoadOptions {
  at::ScalarType dtype = at::kFloat;  // kFloat, kHalf or kBFloat16
  at::Device device = at::kCPU;
  /// Called every few milliseconds of work, by the thread that called.
  std::function<void()> tick;
  int threads = 0;  // 0: as many as at::get_num_threads() says, at most 8
  /// Parts of the model that are not wanted, as `encoder.`: their tensors may stay unused.
  std::vector<std::string> skipped_prefixes;
  Arranger* arranger = nullptr;  // of what is filled
};

/// One parameter and where its value comes from.
struct Binding {
  std::string name;
  Parameter* parameter = nullptr;
  TensorSource source;
  Parameter* whole = nullptr;  // the stack that it is a part of
  std::int64_t first_row = 0;  // in `whole`
  std::vector<LowRankUpdate> updates;
};

/// What fills a module, checked against the files' headers; nothing is allocated yet. Points into
/// the module, which must stay where it is.
struct BindingPlan {
  std::string component;
  std::vector<Binding> bindings;  // in the order of the walk
};

/// Checks that every parameter has exactly one tensor of its shape and a floating dtype, and that
/// no tensor is left over. Throws Error(BadModel) with file, tensor, expected and got.
BindingPlan plan_parameters(const ComponentWeights& weights, const ParameterWalk& walk,
                            const LoadOptions& options);

/// Allocates and fills every parameter of the plan, in the dtype and on the device of `options`.
/// Can be repeated: values are replaced. Blocks; ticks. Throws Error(BadModel) for NaN or infinity
/// and for a file that ends early, with file, tensor and index.
void fill_parameters(const BindingPlan& plan, const LoadOptions& options);

}  // namespace ssd1b
