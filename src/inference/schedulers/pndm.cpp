#include <ATen/ATen.h>

#include <string>
#include <utility>

#include "inference/schedulers/algorithms.h"
#include "inference/schedulers/sampler.h"
#include "inference/schedulers/timestep_spacing.h"
#include "ssd1b/error.h"

namespace ssd1b {
namespace {

/// diffusers' PNDMScheduler: linear multistep on the model's answers, begun by Runge-Kutta calls or
/// (skip_prk_steps) by one repeated call.
class Pndm final : public TimestepSampler {
 public:
  Pndm(const SchedulerConfig& config, const SchedulerStart& start)
      : TimestepSampler(config, start), stride_(config.num_train_timesteps / start.steps) {
    const std::vector<double> falling = rounded(spaced_timesteps(config_, start.steps));
    if (config_.skip_prk_steps) {
      begin_with_timesteps(with_repeat(falling));
      return;
    }
    check_runge_kutta(start, falling.size());
    std::vector<double> timesteps = runge_kutta(falling);
    runge_kutta_calls_ = timesteps.size();
    runge_kutta_timesteps_ = timesteps;
    if (falling.size() > kWarmUp) {
      timesteps.insert(timesteps.end(), falling.begin() + kWarmUp, falling.end());
    }
    begin_with_timesteps(std::move(timesteps));
  }

 private:
  static constexpr std::size_t kOrder = 4;
  static constexpr std::size_t kWarmUp = 3;  // steps that Runge-Kutta makes

  static void check_runge_kutta(const SchedulerStart& start, std::size_t count) {
    if (count >= kOrder && start.start_index == 0) return;
    throw Error(ErrorCode::InvalidValue,
                "steps must be at least 4 from the beginning with scheduler pndm (skip_prk_steps "
                "false), got " +
                    std::to_string(start.steps),
                "steps");
  }

  /// The second call is made twice: the first time its answer is averaged with the call before.
  static std::vector<double> with_repeat(const std::vector<double>& falling) {
    std::vector<double> timesteps = falling;
    if (timesteps.size() > 1) timesteps.insert(timesteps.begin() + 1, timesteps[1]);
    return timesteps;
  }

  /// Four calls a step for the first three steps: at its start, twice in its middle, at its end.
  std::vector<double> runge_kutta(const std::vector<double>& falling) const {
    std::vector<double> points;  // rising: t, t + half a step, ... of the four noisiest timesteps
    for (std::size_t i = kOrder; i-- > 0;) {
      points.push_back(falling[i]);
      points.push_back(falling[i] + stride_ / 2);
    }
    points.pop_back();
    std::vector<double> twice;
    for (const double each : points) twice.insert(twice.end(), 2, each);
    return {twice.rbegin() + 1, twice.rend() - 1};
  }

  at::Tensor step(const at::Tensor& model_output) override {
    const at::Tensor next =
        counter_ < runge_kutta_calls_ ? runge_kutta_step(model_output) : multistep(model_output);
    ++counter_;
    return next;
  }

  at::Tensor runge_kutta_step(const at::Tensor& model_output) {
    const double half = counter_ % 2 == 1 ? 0.0 : stride_ / 2;
    const double to = timestep(index()) - half;
    const double from = runge_kutta_timesteps_[counter_ / 4 * 4];
    at::Tensor answer = model_output;
    switch (counter_ % 4) {
      case 0:
        sum_ = 1.0 / 6.0 * model_output;
        answers_.push_back(model_output);
        sample_ = latents();
        break;
      case 3:
        answer = sum_ + 1.0 / 6.0 * model_output;
        break;
      default:
        sum_ = sum_ + 1.0 / 3.0 * model_output;
    }
    return moved(sample_, from, to, answer);
  }

  at::Tensor multistep(const at::Tensor& model_output) {
    double from = timestep(index());
    double to = from - stride_;
    const bool is_repeat = counter_ == 1;
    if (is_repeat) {
      to = from;
      from = from + stride_;
    } else {
      if (answers_.size() > 3) answers_.erase(answers_.begin(), answers_.end() - 3);
      answers_.push_back(model_output);
    }
    if (answers_.size() == 1 && counter_ == 0) sample_ = latents();
    const bool is_averaged = answers_.size() == 1 && is_repeat;
    return moved(is_averaged ? sample_ : latents(), from, to,
                 is_averaged ? (model_output + answers_.back()) / 2 : combined(model_output));
  }

  /// Adams-Bashforth of as many answers as there are.
  at::Tensor combined(const at::Tensor& model_output) const {
    const std::size_t count = answers_.size();
    const auto ago = [&](std::size_t steps) { return answers_[count - 1 - steps]; };
    if (count == 1) return model_output;
    if (count == 2) return (3 * ago(0) - ago(1)) / 2;
    if (count == 3) return (23 * ago(0) - 16 * ago(1) + 5 * ago(2)) / 12;
    return (1.0 / 24.0) * (55 * ago(0) - 59 * ago(1) + 37 * ago(2) - 9 * ago(3));
  }

  /// Formula (9) of arXiv 2202.09778.
  at::Tensor moved(const at::Tensor& sample, double from, double to, const at::Tensor& answer) {
    const at::Tensor alpha = table_entry(from);
    const at::Tensor alpha_to = alpha_product(to);
    const at::Tensor epsilon = epsilon_of(sample, answer, {}, alpha);
    predicted((sample - (1 - alpha).sqrt() * epsilon) / alpha.sqrt());
    const at::Tensor width =
        alpha * (1 - alpha_to).sqrt() + (alpha * (1 - alpha) * alpha_to).sqrt();
    return (alpha_to / alpha).sqrt() * sample - (alpha_to - alpha) * epsilon / width;
  }

  const int stride_;  // training timesteps a step
  std::size_t runge_kutta_calls_ = 0;
  std::vector<double> runge_kutta_timesteps_;
  std::size_t counter_ = 0;          // calls made
  std::vector<at::Tensor> answers_;  // newest last
  at::Tensor sample_;                // that the step under way began from
  at::Tensor sum_;                   // Runge-Kutta's answers so far
};

}  // namespace

std::unique_ptr<Scheduler> make_pndm(const SchedulerConfig& config, const SchedulerStart& start) {
  return std::make_unique<Pndm>(config, start);
}

}  // namespace ssd1b
