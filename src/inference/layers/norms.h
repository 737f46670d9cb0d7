#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "inference/layers/activation.h"
#include "inference/layers/unbiased.h"
#include "inference/weights/parameter.h"

namespace ssd1b {

/// Normalises over groups of channels and all pixels.
struct GroupNorm {
  GroupNorm(std::int64_t groups_of, std::int64_t channels, double eps_of);
  /// [B, C, ...] -> the same
  at::Tensor operator()(const at::Tensor& input) const;
  /// The activation of that: what stands before most convolutions. SiLU costs no pass of its own.
  at::Tensor with(Activation activation, const at::Tensor& input) const;
  /// The same of a picture with its bias and, where it is defined, `time` [B, C] added to all its
  /// pixels. The picture is of no use afterwards.
  at::Tensor with(Activation activation, const Unbiased& input, const at::Tensor& time = {}) const;

  Parameter weight, bias;  // [C]
  std::int64_t groups;
  double eps;
};

/// What is to be added to a stream of tokens [B, T, width].
struct Addition {
  at::Tensor tokens;  // [B - n, T, width], to the stream's last rows; undefined: nothing is added
  at::Tensor rest;    // [width], to each token of the n rows before them; needed where n > 0
};

/// Normalises over the last dimension.
struct LayerNorm {
  LayerNorm(std::int64_t width, double eps_of);
  /// [..., width] -> the same
  at::Tensor operator()(const at::Tensor& input) const;
  /// Adds to a stream of tokens [B, T, width], in its place, then norms its rows from `first` on:
  /// [B - first, T, width].
  at::Tensor after_adding(const at::Tensor& stream, const Addition& added,
                          std::int64_t first = 0) const;

  Parameter weight, bias;  // [width]
  double eps;
};

void visit_parameters(GroupNorm& norm, const Scope& scope);
void visit_parameters(LayerNorm& norm, const Scope& scope);

}  // namespace ssd1b
