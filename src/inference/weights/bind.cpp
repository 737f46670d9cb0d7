#include "inference/weights/bind.h"

#include <unordered_map>
#include <utility>

#include "inference/weights/convert.h"
#include "inference/weights/name_matching.h"
#include "ssd1b/error.h"

namespace ssd1b {
namespace {

std::string and_more(std::size_t count) {
  return count > 1 ? " (and " + std::to_string(count - 1) + " more)" : "";
}

std::int64_t rows_of(const Parameter& parameter) {
  return parameter.shape.empty() ? 1 : parameter.shape.front();
}

/// Pairs every parameter that it is shown with its tensor.
class Planner : public ParameterVisitor {
 public:
  explicit Planner(const ComponentWeights& weights) : weights_(weights) {
    plan_.component = weights.component;
  }

  void visit(const std::string& name, Parameter& parameter) override {
    const auto found = weights_.tensors.find(name);
    if (!visited_.emplace(name, &parameter).second) {
      throw Error(ErrorCode::InternalError,
                  "the parameter " + shown(name) + " is visited twice: this is a bug");
    }
    if (found == weights_.tensors.end()) {
      missing_.push_back("tensor " + shown(name) + " of shape " + text_of(parameter.shape) +
                         " must be there for the " + plan_.component + ", got none");
      return;
    }
    Binding binding{name, &parameter, found->second, nullptr, 0, {}};
    check(binding);
    const auto updates = weights_.updates.find(name);
    if (updates != weights_.updates.end()) binding.updates = updates->second;
    if (const auto part = parts_.find(&parameter); part != parts_.end()) {
      std::tie(binding.whole, binding.first_row) = part->second;
    }
    plan_.bindings.push_back(std::move(binding));
  }

  void stack(Parameter& whole, std::initializer_list<Parameter*> parts) override {
    std::int64_t row = 0;
    whole.shape = (*parts.begin())->shape;
    for (Parameter* part : parts) {
      std::vector<std::int64_t> same = part->shape;
      same.at(0) = whole.shape.at(0);
      if (same != whole.shape) {
        throw Error(ErrorCode::InternalError, "shapes " + text_of(part->shape) + " and " +
                                                  text_of(whole.shape) +
                                                  " are stacked: this is a bug");
      }
      parts_[part] = {&whole, row};
      row += rows_of(*part);
    }
    whole.shape.at(0) = row;
  }

  BindingPlan finish(const std::vector<std::string>& skipped_prefixes) {
    if (!missing_.empty()) fail(weights_.path, missing_.front() + and_more(missing_.size()));
    std::vector<const std::pair<const std::string, TensorSource>*> extra;
    for (const auto& entry : weights_.tensors) {
      bool is_skipped = false;
      for (const std::string& prefix : skipped_prefixes) {
        is_skipped = is_skipped || starts_with(entry.first, prefix);
      }
      if (!is_skipped && visited_.count(entry.first) == 0) extra.push_back(&entry);
    }
    if (!extra.empty()) {
      const TensorSource& source = extra.front()->second;
      fail(source.file.path(),
           "tensor " + shown(source.file_name) + " of shape " + text_of(source.shape) +
               " must be one that the model has, got one that it has not" + and_more(extra.size()));
    }
    return std::move(plan_);
  }

 private:
  [[noreturn]] static void fail(const std::filesystem::path& file, const std::string& what) {
    throw Error(ErrorCode::BadModel, file.string() + ": " + what);
  }

  static void check(const Binding& binding) {
    const TensorSource& source = binding.source;
    const std::string tensor = "tensor " + shown(source.file_name);
    if (source.shape != binding.parameter->shape) {
      fail(source.file.path(), tensor + " must have shape " + text_of(binding.parameter->shape) +
                                   ", got " + text_of(source.shape));
    }
    if (!is_weight_dtype(source.dtype)) {
      fail(source.file.path(), tensor + " must be F16, BF16, F32, F64, F8_E4M3 or F8_E5M2, got " +
                                   name_of(source.dtype));
    }
  }

  const ComponentWeights& weights_;
  BindingPlan plan_;
  std::unordered_map<std::string, Parameter*> visited_;
  std::unordered_map<Parameter*, std::pair<Parameter*, std::int64_t>> parts_;
  std::vector<std::string> missing_;
};

}  // namespace

BindingPlan plan_parameters(const ComponentWeights& weights, const ParameterWalk& walk,
                            const LoadOptions& options) {
  Planner planner(weights);
  walk(planner);
  return planner.finish(options.skipped_prefixes);
}

}  // namespace ssd1b
