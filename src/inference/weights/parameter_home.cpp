#include "inference/weights/parameter_home.h"

#include <ATen/ATen.h>

#include <unordered_set>

namespace ssd1b {

class ParameterHome::Collector : public ParameterVisitor {
 public:
  explicit Collector(ParameterHome& home) : home_(home) {}

  void visit(const std::string&, Parameter& parameter) override {
    if (in_stack_.count(&parameter) == 0) home_.homes_.emplace_back(&parameter, parameter.value);
  }

  void stack(Parameter& whole, std::initializer_list<Parameter*> parts) override {
    home_.homes_.emplace_back(&whole, whole.value);
    std::int64_t row = 0;
    for (Parameter* part : parts) {
      in_stack_.insert(part);
      home_.parts_.push_back({part, &whole, row});
      row += part->shape.front();
    }
  }

 private:
  ParameterHome& home_;
  std::unordered_set<Parameter*> in_stack_;
};

ParameterHome::ParameterHome(const ParameterWalk& walk, const c10::Device& device)
    : device_(device) {
  Collector collector(*this);
  walk(collector);
  for (const Part& part : parts_) part.parameter->value.reset();  // views, which would keep it all
  for (auto& [parameter, value] : homes_) {
    if (device.is_cuda()) value = value.pin_memory();
    parameter->value = value;  // the one before goes, so that little is there twice
  }
  come_home();
}

void ParameterHome::go_to_device() { set(/*on_device=*/true); }

void ParameterHome::come_home() { set(/*on_device=*/false); }

void ParameterHome::set(bool on_device) {
  for (auto& [parameter, value] : homes_) {
    parameter->value = on_device ? value.to(device_, /*non_blocking=*/true) : value;
  }
  for (const Part& part : parts_) {
    part.parameter->value =
        part.whole->value.narrow(0, part.first_row, part.parameter->shape.front());
  }
}

}  // namespace ssd1b
