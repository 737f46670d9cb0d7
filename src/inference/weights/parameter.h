#pragma once

#include <ATen/core/Tensor.h>

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <utility>
#include <vector>

namespace ssd1b {

/// What a module does with a parameter: how it may be arranged once it is loaded depends on it.
enum class ParameterUse {
  Other,
  Matrix,       // of a Linear
  Gated,        // of a Linear whose first half is multiplied by gelu of its second
  Convolution,  // stride 1, the picture keeps its size
  Upsampling,   // the 3x3 convolution of an Upsample
};

/// A tensor of the checkpoint: its shape is known from the config before its value is loaded.
struct Parameter {
  Parameter() = default;
  explicit Parameter(std::vector<std::int64_t> shape_of, ParameterUse use_of = ParameterUse::Other)
      : shape(std::move(shape_of)), use(use_of) {}

  std::vector<std::int64_t> shape;
  ParameterUse use = ParameterUse::Other;
  at::Tensor value;  // undefined until bound, and again once it is arranged
  /// Takes the place of `value` where an Arranger found a faster form: of a Gated one
  /// both halves, of an Upsampling one the kernel and its four parts, on a GPU the parts as one.
  std::vector<at::Tensor> arranged;
  at::Tensor memory;  // of `arranged`, where that is a view of it
};

/// Walks the parameters of a module under the checkpoint's names, before any transform. The same
/// walk loads, counts and is compared with the reference's key list.
class ParameterVisitor {
 public:
  virtual ~ParameterVisitor() = default;

  /// `name` is the full name in the checkpoint's component, as `conv_in.weight`.
  virtual void visit(const std::string& name, Parameter& parameter) = 0;

  /// `parts` are rows of one matrix [sum of rows, columns] that a module multiplies with at once
  /// (q, k and v of an attention): whoever gives the parts storage gives it to `whole` and makes
  /// the parts views of its rows. Called before the parts are visited.
  virtual void stack(Parameter& whole, std::initializer_list<Parameter*> parts) = 0;
};

/// A visitor and the name of the module it is in.
class Scope {
 public:
  Scope(ParameterVisitor& visitor, std::string prefix)
      : visitor_(visitor), prefix_(std::move(prefix)) {}

  /// The scope of a member: `scope / "resnets" / "0"`.
  Scope operator/(const std::string& member) const {
    return {visitor_, prefix_.empty() ? member : prefix_ + "." + member};
  }
  Scope operator/(std::size_t index) const { return *this / std::to_string(index); }

  void parameter(const std::string& member, Parameter& parameter) const {
    visitor_.visit((*this / member).prefix_, parameter);
  }
  void stack(Parameter& whole, std::initializer_list<Parameter*> parts) const {
    visitor_.stack(whole, parts);
  }

 private:
  ParameterVisitor& visitor_;
  std::string prefix_;
};

/// The modules of a list, each under its index.
template <typename Module>
void visit_parameters(std::vector<Module>& modules, const Scope& scope) {
  for (std::size_t i = 0; i < modules.size(); ++i) visit_parameters(modules[i], scope / i);
}

}  // namespace ssd1b
