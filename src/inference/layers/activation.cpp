#include "inference/layers/activation.h"

#include <ATen/ATen.h>

#include <cmath>

#include "ssd1b/error.h"

namespace ssd1b {
namespace {

struct Named {
  const char* name;
  Activation activation;
};

constexpr Named kNames[] = {
    {"gelu", Activation::Gelu},
    {"gelu_10", Activation::ClippedGelu},
    {"gelu_accurate", Activation::GeluByTanh},
    {"gelu_fast", Activation::FastGelu},
    {"gelu_new", Activation::GeluByTanh},
    {"gelu_python", Activation::GeluByErf},
    {"gelu_python_tanh", Activation::GeluByTanh},
    {"gelu_pytorch_tanh", Activation::GeluTanh},
    {"hardswish", Activation::Hardswish},
    {"laplace", Activation::Laplace},
    {"leaky_relu", Activation::LeakyRelu},
    {"linear", Activation::None},
    {"mish", Activation::Mish},
    {"quick_gelu", Activation::QuickGelu},
    {"relu", Activation::Relu},
    {"relu2", Activation::SquaredRelu},
    {"relu6", Activation::Relu6},
    {"sigmoid", Activation::Sigmoid},
    {"silu", Activation::Silu},
    {"sqrtsoftplus", Activation::SqrtSoftplus},
    {"swish", Activation::Silu},
    {"tanh", Activation::Tanh},
};

constexpr double kPi = 3.14159265358979323846;
constexpr double kCube = 0.044715;  // of the approximation of GELU by tanh

at::Tensor gelu_by_tanh(const at::Tensor& x) {
  return 0.5 * x * (1.0 + at::tanh(std::sqrt(2.0 / kPi) * (x + kCube * at::pow(x, 3.0))));
}

at::Tensor fast_gelu(const at::Tensor& x) {
  return 0.5 * x * (1.0 + at::tanh(x * 0.7978845608 * (1.0 + kCube * x * x)));
}

at::Tensor laplace(const at::Tensor& x) {
  return 0.5 * (1.0 + at::erf((x - 0.707107).div(0.282095 * std::sqrt(2.0))));
}

}  // namespace

std::optional<Activation> activation_named(const std::string& name) {
  for (const Named& each : kNames) {
    if (name == each.name) return each.activation;
  }
  return std::nullopt;
}

std::string activation_names() {
  std::string names;
  for (const Named& each : kNames) names += (names.empty() ? "" : ", ") + std::string(each.name);
  return names;
}

at::Tensor activate(const at::Tensor& x, Activation activation) {
  switch (activation) {
    case Activation::None:
      return x;
    case Activation::Silu:
      return at::silu(x);
    case Activation::Mish:
      return at::mish(x);
    case Activation::Relu:
      return at::relu(x);
    case Activation::Relu6:
      return at::hardtanh(x, 0.0, 6.0);
    case Activation::LeakyRelu:
      return at::leaky_relu(x);
    case Activation::SquaredRelu:
      return at::square(at::relu(x));
    case Activation::Gelu:
      return at::gelu(x);
    case Activation::GeluByErf:
      return x * 0.5 * (1.0 + at::erf(x / std::sqrt(2.0)));
    case Activation::GeluTanh:
      return at::gelu(x, "tanh");
    case Activation::GeluByTanh:
      return gelu_by_tanh(x);
    case Activation::FastGelu:
      return fast_gelu(x);
    case Activation::QuickGelu:
      return x * at::sigmoid(1.702 * x);
    case Activation::ClippedGelu:
      return at::clip(at::gelu(x), -10.0, 10.0);
    case Activation::Hardswish:
      return at::hardswish(x);
    case Activation::Laplace:
      return laplace(x);
    case Activation::SqrtSoftplus:
      return at::sqrt(at::softplus(x));
    case Activation::Sigmoid:
      return at::sigmoid(x);
    case Activation::Tanh:
      return at::tanh(x);
  }
  throw Error(ErrorCode::InternalError, "an activation without a formula: this is a bug");
}

}  // namespace ssd1b
