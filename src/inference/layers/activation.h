#pragma once

#include <ATen/core/Tensor.h>

#include <optional>
#include <string>

namespace ssd1b {

/// A function of one number that stands between two layers.
enum class Activation {
  None,
  Silu,
  Mish,
  Relu,
  Relu6,
  LeakyRelu,
  SquaredRelu,
  Gelu,
  GeluByErf,  // the formula written out: other roundings
  GeluTanh,
  GeluByTanh,  // the same
  FastGelu,
  QuickGelu,
  ClippedGelu,
  Hardswish,
  Laplace,
  SqrtSoftplus,
  Sigmoid,
  Tanh
};

/// By its name in transformers' ACT2FN, of which diffusers' names are a part; nullopt where it has
/// none, or weights of its own.
std::optional<Activation> activation_named(const std::string& name);

/// The names, as one text for messages.
std::string activation_names();

/// Of every number of a tensor, in the steps of the reference.
at::Tensor activate(const at::Tensor& input, Activation activation);

}  // namespace ssd1b
