#include "inference/schedulers/timestep_spacing.h"

#include <algorithm>
#include <cmath>

namespace ssd1b {
namespace {

/// The first `count` multiples of `step`, 0 among them, falling.
std::vector<double> multiples_falling(int count, int step) {
  std::vector<double> values(static_cast<std::size_t>(count));
  for (int i = 0; i < count; ++i) values[static_cast<std::size_t>(count - 1 - i)] = i * step;
  return values;
}

/// From `start` down by `step` while above 0, each rounded and less 1. The count and the values are
/// those of NumPy's arange, whose rounding can give one value more than start / step.
std::vector<double> trailing(double start, double step) {
  const auto count = static_cast<int>(std::ceil((0.0 - start) / -step));
  const double difference = (start - step) - start;
  std::vector<double> values;
  for (int i = 0; i < count; ++i) values.push_back(std::nearbyint(start + i * difference) - 1.0);
  return values;
}

void add(std::vector<double>& values, double offset) {
  for (double& value : values) value += offset;
}

}  // namespace

std::vector<double> evenly_spaced(double start, double stop, int count) {
  std::vector<double> values(static_cast<std::size_t>(count), start);
  if (count < 2) return values;
  const double step = (stop - start) / (count - 1);
  for (int i = 0; i < count; ++i) values[static_cast<std::size_t>(i)] = i * step + start;
  values.back() = stop;
  return values;
}

std::vector<double> spaced_timesteps(const SchedulerConfig& config, int steps) {
  const int train = config.num_train_timesteps;
  switch (config.timestep_spacing) {
    case TimestepSpacing::Linspace: {
      std::vector<double> values = evenly_spaced(0.0, train - 1, steps);
      std::reverse(values.begin(), values.end());
      return values;
    }
    case TimestepSpacing::Leading: {
      std::vector<double> values = multiples_falling(steps, train / steps);
      add(values, config.steps_offset);
      return values;
    }
    case TimestepSpacing::Trailing:
      break;
  }
  return trailing(train, static_cast<double>(train) / steps);
}

std::vector<double> solver_timesteps(const SchedulerConfig& config, int last_timestep, int steps) {
  switch (config.timestep_spacing) {
    case TimestepSpacing::Linspace: {
      std::vector<double> values = rounded(evenly_spaced(0.0, last_timestep - 1, steps + 1));
      std::reverse(values.begin(), values.end());
      values.pop_back();
      return values;
    }
    case TimestepSpacing::Leading: {
      std::vector<double> values = multiples_falling(steps + 1, last_timestep / (steps + 1));
      values.pop_back();
      add(values, config.steps_offset);
      return values;
    }
    case TimestepSpacing::Trailing:
      break;
  }
  return trailing(last_timestep, static_cast<double>(config.num_train_timesteps) / steps);
}

std::vector<double> distilled_timesteps(const SchedulerConfig& config, int steps) {
  const int original = config.original_inference_steps;
  const int stride = config.num_train_timesteps / original;
  std::vector<double> values;
  for (int i = 0; i < steps; ++i) {
    const double index = std::floor(i * (static_cast<double>(original) / steps));
    values.push_back((original - index) * stride - 1.0);
  }
  return values;
}

std::vector<double> doubled_after_first(const std::vector<double>& values) {
  std::vector<double> doubled;
  for (const double value : values) {
    doubled.push_back(value);
    if (doubled.size() > 1) doubled.push_back(value);
  }
  return doubled;
}

std::vector<double> rounded(std::vector<double> values) {
  for (double& value : values) value = std::nearbyint(value);
  return values;
}

std::vector<double> truncated(std::vector<double> values) {
  for (double& value : values) value = std::trunc(value);
  return values;
}

std::vector<double> as_float32(std::vector<double> values) {
  for (double& value : values) value = static_cast<float>(value);
  return values;
}

}  // namespace ssd1b
