#include "inference/layers/group_norm_cpu.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

#include "inference/weights/vector_code.h"

#ifndef _OPENMP
#error "without -fopenmp at::parallel_for uses one thread"
#endif

namespace ssd1b {
namespace {

constexpr std::int64_t kLanes = 16;      // channels that are summed side by side
constexpr std::int64_t kFloatRows = 32;  // pixels that are summed in float32 before double
constexpr std::int64_t kMinTaskRows = 64;
constexpr std::int64_t kMaxTasks = 256;  // of one picture

// Values of kLanes channels: one register, or several, of whatever the processor has.
using Lanes [[gnu::vector_size(kLanes * sizeof(float))]] = float;
using Words [[gnu::vector_size(kLanes * sizeof(float))]] = std::uint32_t;
using Halves [[gnu::vector_size(kLanes * sizeof(std::uint16_t))]] = std::uint16_t;

[[gnu::always_inline]] inline void load(const float* from, Lanes& to) {
  std::memcpy(&to, from, sizeof to);
}
[[gnu::always_inline]] inline void load(const at::BFloat16* from, Lanes& to) {
  Halves halves;
  std::memcpy(&halves, from, sizeof halves);
  to = reinterpret_cast<Lanes>(__builtin_convertvector(halves, Words) << 16);
}

[[gnu::always_inline]] inline void store(const Lanes& from, float* to) {
  std::memcpy(to, &from, sizeof from);
}
/// Rounds to nearest even; NaN stays NaN.
[[gnu::always_inline]] inline void store(const Lanes& from, at::BFloat16* to) {
  const Words bits = reinterpret_cast<Words>(from);
  const Words rounded = (bits + 0x7fff + ((bits >> 16) & 1)) >> 16;
  const Words result = (bits & 0x7fffffff) > 0x7f800000 ? Words{} + 0x7fc0 : rounded;
  const Halves halves = __builtin_convertvector(result, Halves);
  std::memcpy(to, &halves, sizeof halves);
}

/// [B, rows, channels] in memory.
struct Layout {
  std::int64_t pictures, rows, channels, groups;
  std::int64_t task_rows() const {
    return std::max(kMinTaskRows, (rows + kMaxTasks - 1) / kMaxTasks);
  }
  std::int64_t tasks() const { return (rows + task_rows() - 1) / task_rows(); }
};

/// Sum and sum of squares of what each channel is above its pivot.
struct Sums {
  double sum = 0.0;
  double squares = 0.0;
};

/// Adds `rows` pixels, `stride` elements apart, of up to kLanes channels to `sums`. The pivot, a
/// value of the channel, keeps the squares small: what is far from zero loses no digits.
template <typename Element>
[[gnu::always_inline]] inline void add_rows(const Element* first, std::int64_t rows,
                                            std::int64_t stride, std::int64_t lanes,
                                            const float* pivot, Sums* sums) {
  Lanes sum = {}, squares = {}, pivots = {};
  load(pivot, pivots);
  if (lanes == kLanes) {
    for (std::int64_t row = 0; row < rows; ++row) {
      Lanes above;
      load(first + row * stride, above);
      above -= pivots;
      sum += above;
      squares += above * above;
    }
  } else {
    for (std::int64_t row = 0; row < rows; ++row) {
      for (std::int64_t i = 0; i < lanes; ++i) {
        const float above = static_cast<float>(first[row * stride + i]) - pivot[i];
        sum[i] += above;
        squares[i] += above * above;
      }
    }
  }
  for (std::int64_t i = 0; i < lanes; ++i) {
    sums[i].sum += static_cast<double>(sum[i]);
    sums[i].squares += static_cast<double>(squares[i]);
  }
}

template <typename Element>
[[gnu::always_inline]] inline void sum_task_of(const Element* picture, const Layout& layout,
                                               std::int64_t task, Sums* sums) {
  const std::int64_t end = std::min(layout.rows, (task + 1) * layout.task_rows());
  for (std::int64_t row = task * layout.task_rows(); row < end; row += kFloatRows) {
    const std::int64_t rows = std::min(kFloatRows, end - row);
    for (std::int64_t channel = 0; channel < layout.channels; channel += kLanes) {
      const std::int64_t lanes = std::min(kLanes, layout.channels - channel);
      float pivot[kLanes] = {};
      for (std::int64_t i = 0; i < lanes; ++i) pivot[i] = static_cast<float>(picture[channel + i]);
      add_rows(picture + row * layout.channels + channel, rows, layout.channels, lanes, pivot,
               sums + channel);
    }
  }
}

/// The sums of one task's pixels.
SSD1B_VECTOR_CODE void sum_task(const float* picture, const Layout& layout, std::int64_t task,
                                Sums* sums) {
  sum_task_of(picture, layout, task, sums);
}
SSD1B_VECTOR_CODE void sum_task(const at::BFloat16* picture, const Layout& layout,
                                std::int64_t task, Sums* sums) {
  sum_task_of(picture, layout, task, sums);
}

/// What a channel of one picture is multiplied with and what is added.
struct Affine {
  std::vector<float> scale, shift;  // [pictures * channels]
};

/// One group's mean and 1 / deviation, from the sums of its channels about their pivots.
template <typename Element>
std::pair<double, double> moments(const Element* pivots, const Sums* sums, const Layout& layout,
                                  double eps) {
  const std::int64_t size = layout.channels / layout.groups;
  const double rows = static_cast<double>(layout.rows);
  double mean = 0.0;
  for (std::int64_t i = 0; i < size; ++i) {
    mean += static_cast<double>(static_cast<float>(pivots[i])) + sums[i].sum / rows;
  }
  mean /= static_cast<double>(size);
  double variance = 0.0;
  for (std::int64_t i = 0; i < size; ++i) {
    const double above = sums[i].sum / rows;
    const double from_mean = static_cast<double>(static_cast<float>(pivots[i])) + above - mean;
    variance += sums[i].squares / rows - above * above + from_mean * from_mean;
  }
  variance /= static_cast<double>(size);
  return {mean, 1.0 / std::sqrt(std::max(variance, 0.0) + eps)};
}

template <typename Element>
Affine affine_of(const Element* input, const std::vector<Sums>& sums, const at::Tensor& weight,
                 const at::Tensor& bias, const Layout& layout, double eps) {
  const at::Tensor weights = weight.to(at::kFloat).contiguous();
  const at::Tensor biases = bias.to(at::kFloat).contiguous();
  const auto* weight_of = weights.const_data_ptr<float>();
  const auto* bias_of = biases.const_data_ptr<float>();
  const std::int64_t size = layout.channels / layout.groups;
  Affine affine;
  affine.scale.resize(layout.pictures * layout.channels);
  affine.shift.resize(layout.pictures * layout.channels);
  for (std::int64_t picture = 0; picture < layout.pictures; ++picture) {
    const std::int64_t first = picture * layout.channels;
    const Element* pivots = input + first * layout.rows;
    for (std::int64_t channel = 0; channel < layout.channels; channel += size) {
      const auto [mean, deviation] =
          moments(pivots + channel, sums.data() + first + channel, layout, eps);
      for (std::int64_t i = channel; i < channel + size; ++i) {
        const double scale = static_cast<double>(weight_of[i]) * deviation;
        affine.scale[first + i] = static_cast<float>(scale);
        affine.shift[first + i] =
            static_cast<float>(static_cast<double>(bias_of[i]) - mean * scale);
      }
    }
  }
  return affine;
}

/// The sums of every channel of every picture.
template <typename Element>
std::vector<Sums> sum_all(const Element* input, const Layout& layout) {
  const std::int64_t tasks = layout.tasks();
  std::vector<Sums> parts(layout.pictures * tasks * layout.channels);
  at::parallel_for(0, layout.pictures * tasks, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      sum_task(input + i / tasks * layout.rows * layout.channels, layout, i % tasks,
               parts.data() + i * layout.channels);
    }
  });
  std::vector<Sums> sums(layout.pictures * layout.channels);
  for (std::int64_t i = 0; i < layout.pictures * tasks; ++i) {
    for (std::int64_t channel = 0; channel < layout.channels; ++channel) {
      Sums& sum = sums[i / tasks * layout.channels + channel];
      sum.sum += parts[i * layout.channels + channel].sum;
      sum.squares += parts[i * layout.channels + channel].squares;
    }
  }
  return sums;
}

/// x becomes e^x, to an ulp or two, for x of at most 87 either way. Cephes' polynomial on
/// |r| <= ln 2 / 2, where x = n ln 2 + r.
[[gnu::always_inline]] inline void exponentiate(Lanes& x) {
  constexpr float kRound = 12582912.0F;  // 1.5 * 2^23: adding it leaves n in the lowest bits
  const Lanes shifted = x * 1.44269504F + kRound;
  const Lanes n = shifted - kRound;
  const Lanes r = (x - n * 0.693359375F) + n * 2.12194440e-4F;
  Lanes sum = r * 1.9875691500e-4F + 1.3981999507e-3F;
  sum = sum * r + 8.3334519073e-3F;
  sum = sum * r + 4.1665795894e-2F;
  sum = sum * r + 1.6666665459e-1F;
  sum = sum * r + 5.0000001201e-1F;
  sum = sum * r * r + r + 1.0F;
  x = sum * reinterpret_cast<Lanes>((reinterpret_cast<Words>(shifted) + 127) << 23);  // 2^n
}

/// NaN and infinity stay what they are.
[[gnu::always_inline]] inline void activate(Lanes& x) {
  Lanes e = -x;
  e = e < -87.0F ? Lanes{} - 87.0F : e;
  e = e > 87.0F ? Lanes{} + 87.0F : e;
  exponentiate(e);
  x /= e + 1.0F;
}

template <typename Element>
[[gnu::always_inline]] inline void normalise_lanes(const Element* from, const float* scale,
                                                   const float* shift, Activation activation,
                                                   Element* to) {
  Lanes x, scales, shifts;
  load(from, x);
  load(scale, scales);
  load(shift, shifts);
  x = x * scales + shifts;
  if (activation == Activation::Silu) activate(x);
  store(x, to);
}

/// Pixels `begin` to `end` of all pictures.
template <typename Element>
[[gnu::always_inline]] inline void normalise_rows_of(const Element* input, Element* output,
                                                     const Affine& affine, const Layout& layout,
                                                     Activation activation, std::int64_t begin,
                                                     std::int64_t end) {
  const std::int64_t rest = layout.channels % kLanes;
  const std::int64_t full = layout.channels - rest;
  for (std::int64_t row = begin; row < end; ++row) {
    const float* scale = affine.scale.data() + row / layout.rows * layout.channels;
    const float* shift = affine.shift.data() + row / layout.rows * layout.channels;
    const Element* from = input + row * layout.channels;
    Element* to = output + row * layout.channels;
    for (std::int64_t i = 0; i < full; i += kLanes) {
      normalise_lanes(from + i, scale + i, shift + i, activation, to + i);
    }
    if (rest == 0) continue;
    Element padded[kLanes] = {};
    float padded_scale[kLanes] = {}, padded_shift[kLanes] = {};
    std::copy_n(from + full, rest, padded);
    std::copy_n(scale + full, rest, padded_scale);
    std::copy_n(shift + full, rest, padded_shift);
    normalise_lanes(padded, padded_scale, padded_shift, activation, padded);
    std::copy_n(padded, rest, to + full);
  }
}

SSD1B_VECTOR_CODE void normalise_rows(const float* input, float* output, const Affine& affine,
                                      const Layout& layout, Activation activation,
                                      std::int64_t begin, std::int64_t end) {
  normalise_rows_of(input, output, affine, layout, activation, begin, end);
}
SSD1B_VECTOR_CODE void normalise_rows(const at::BFloat16* input, at::BFloat16* output,
                                      const Affine& affine, const Layout& layout,
                                      Activation activation, std::int64_t begin, std::int64_t end) {
  normalise_rows_of(input, output, affine, layout, activation, begin, end);
}

}  // namespace

bool can_use_channels_last_group_norm(const at::Tensor& input) {
  return input.device().is_cpu() && input.dim() == 4 &&
         input.is_contiguous(at::MemoryFormat::ChannelsLast) &&
         (input.scalar_type() == at::kFloat || input.scalar_type() == at::kBFloat16);
}

at::Tensor channels_last_group_norm(const at::Tensor& input, const at::Tensor& weight,
                                    const at::Tensor& bias, std::int64_t groups, double eps,
                                    Activation activation) {
  const Layout layout{input.size(0), input.size(2) * input.size(3), input.size(1), groups};
  at::Tensor output = at::empty_like(input);  // channels-last too
  const auto run = [&](auto element) {
    using Element = decltype(element);
    const auto* from = input.const_data_ptr<Element>();
    const Affine affine = affine_of(from, sum_all(from, layout), weight, bias, layout, eps);
    auto* to = output.mutable_data_ptr<Element>();
    at::parallel_for(0, layout.pictures * layout.rows, kMinTaskRows,
                     [&](std::int64_t begin, std::int64_t end) {
                       normalise_rows(from, to, affine, layout, activation, begin, end);
                     });
  };
  if (input.scalar_type() == at::kFloat) {
    run(float());
  } else {
    run(at::BFloat16());
  }
  return output;
}

}  // namespace ssd1b
