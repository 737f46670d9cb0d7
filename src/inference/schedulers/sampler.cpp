#include "inference/schedulers/sampler.h"

#include <ATen/ATen.h>

#include <string>
#include <utility>

#include "inference/schedulers/noise_schedule.h"
#include "ssd1b/error.h"

namespace ssd1b {

std::vector<double> Sampler::timesteps() const {
  return {timesteps_.begin() + static_cast<std::ptrdiff_t>(index_), timesteps_.end()};
}

std::optional<double> Sampler::next_timestep() const {
  if (index_ >= timesteps_.size()) return std::nullopt;
  return timesteps_[index_];
}

void Sampler::feed(const at::Tensor& model_output) {
  if (index_ >= timesteps_.size()) {
    throw Error(ErrorCode::InternalError, "the scheduler asked for no more calls: this is a bug");
  }
  latents_ = step(model_output);
  ++index_;
}

at::Tensor Sampler::model_input() const {
  const at::Tensor divisor = input_divisor();
  return divisor.defined() ? latents_ / divisor : latents_;
}

void Sampler::begin(std::vector<double> timesteps, int calls_per_step,
                    const at::Tensor& noise_sigma) {
  timesteps_ = std::move(timesteps);
  const auto first =
      static_cast<std::size_t>(start_.start_index) * static_cast<std::size_t>(calls_per_step);
  if (start_.start_index < 0 || first >= timesteps_.size()) {
    throw Error(ErrorCode::InvalidValue, "the first step must be one of " +
                                             std::to_string(start_.steps) + ", got " +
                                             std::to_string(start_.start_index));
  }
  index_ = first;
  if (start_.image.defined()) {
    latents_ = noised(start_.image, start_.noise);
  } else {
    latents_ = noise_sigma.defined() ? start_.noise * noise_sigma : start_.noise;
  }
  start_.noise = at::Tensor();
  start_.image = at::Tensor();
}

at::Tensor Sampler::draw(at::ScalarType dtype) const {
  if (!start_.noise_source) {
    throw Error(ErrorCode::InternalError, "the scheduler has no source of noise: this is a bug");
  }
  return start_.noise_source(dtype);
}

at::Tensor Sampler::predicted(at::Tensor original) {
  denoised_ = original.to(latents_.scalar_type());
  return original;
}

at::Tensor Sampler::limited(const at::Tensor& original) const {
  if (config_.thresholding) {
    // Dynamic thresholding (Imagen): values above a quantile are cut, all are divided by it.
    const at::Tensor flat = original.to(at::kFloat).reshape({original.size(0), -1});  // [B, C*h*w]
    const at::Tensor limit = at::quantile(flat.abs(), config_.dynamic_thresholding_ratio, /*dim=*/1)
                                 .clamp(1.0, config_.sample_max_value)
                                 .unsqueeze(1);  // [B, 1]
    return (at::clamp(flat, -limit, limit) / limit)
        .reshape(original.sizes())
        .to(original.scalar_type());
  }
  if (config_.clip_sample) {
    return original.clamp(-config_.clip_sample_range, config_.clip_sample_range);
  }
  return original;
}

void SigmaSampler::begin_with_sigmas(std::vector<double> timesteps, at::Tensor sigmas,
                                     int calls_per_step) {
  sigmas_ = std::move(sigmas);
  at::Tensor noise_sigma = sigmas_.max();
  if (config_.timestep_spacing == TimestepSpacing::Leading) {
    noise_sigma = (noise_sigma.pow(2) + 1).sqrt();
  }
  begin(std::move(timesteps), calls_per_step, noise_sigma);
}

at::Tensor SigmaSampler::noised(const at::Tensor& image, const at::Tensor& noise) const {
  return image + noise * sigma(index()).to(image.scalar_type());
}

at::Tensor SigmaSampler::input_divisor() const { return (input_sigma().pow(2) + 1).sqrt(); }

at::Tensor SigmaSampler::original_of(const at::Tensor& sample, const at::Tensor& model_output,
                                     const at::Tensor& sigma) const {
  switch (config_.prediction_type) {
    case PredictionType::Epsilon:
      return sample - sigma * model_output;
    case PredictionType::VPrediction:
      return model_output * (-sigma / (sigma.pow(2) + 1).sqrt()) + sample / (sigma.pow(2) + 1);
    case PredictionType::Sample:
      break;
  }
  return model_output;
}

void SolverSampler::begin_with_sigmas(std::vector<double> timesteps, at::Tensor sigmas) {
  sigmas_ = std::move(sigmas);
  begin(std::move(timesteps), /*calls_per_step=*/1, /*noise_sigma=*/{});
}

at::Tensor SolverSampler::noised(const at::Tensor& image, const at::Tensor& noise) const {
  const at::Tensor sigma = sigmas_[static_cast<std::int64_t>(index())].to(image.scalar_type());
  const at::Tensor alpha = 1.0 / (sigma.pow(2) + 1).sqrt();
  return alpha * image + sigma * alpha * noise;
}

SolverSampler::Level SolverSampler::level(std::size_t at) const {
  const at::Tensor sigma = sigmas_[static_cast<std::int64_t>(at)];
  Level level;
  level.alpha = 1.0 / (sigma.pow(2) + 1).sqrt();
  level.sigma = sigma * level.alpha;
  level.lambda = level.alpha.log() - level.sigma.log();
  return level;
}

at::Tensor SolverSampler::original_of(const at::Tensor& sample,
                                      const at::Tensor& model_output) const {
  const Level now = level(index());
  switch (config_.prediction_type) {
    case PredictionType::Epsilon:
      return limited((sample - now.sigma * model_output) / now.alpha);
    case PredictionType::VPrediction:
      return limited(now.alpha * sample - now.sigma * model_output);
    case PredictionType::Sample:
      break;
  }
  return limited(model_output);
}

at::Tensor SolverSampler::epsilon_of(const at::Tensor& sample,
                                     const at::Tensor& model_output) const {
  const Level now = level(index());
  switch (config_.prediction_type) {
    case PredictionType::Epsilon:
      return model_output;
    case PredictionType::VPrediction:
      return now.alpha * model_output + now.sigma * sample;
    case PredictionType::Sample:
      break;
  }
  return (sample - now.alpha * model_output) / now.sigma;
}

TimestepSampler::TimestepSampler(const SchedulerConfig& config, const SchedulerStart& start)
    : Sampler(config, start), alphas_cumprod_(alphas_cumprod(config, ZeroSignal::Kept)) {}

void TimestepSampler::begin_with_timesteps(std::vector<double> timesteps) {
  for (const double each : timesteps) {
    if (each >= config_.num_train_timesteps || each < -config_.num_train_timesteps) {
      throw Error(ErrorCode::BadModel,
                  "scheduler_config.json: steps_offset must leave every timestep nearer to 0 than "
                  "num_train_timesteps, got timestep " +
                      std::to_string(static_cast<int>(each)));
    }
  }
  begin(std::move(timesteps), /*calls_per_step=*/1, /*noise_sigma=*/{});
}

at::Tensor TimestepSampler::noised(const at::Tensor& image, const at::Tensor& noise) const {
  const at::Tensor alpha = table_entry(timestep(index())).to(image.scalar_type());
  return alpha.sqrt() * image + (1 - alpha).sqrt() * noise;
}

at::Tensor TimestepSampler::alpha_product(double timestep) const {
  if (timestep >= 0.0) return table_entry(timestep);
  return config_.set_alpha_to_one ? at::scalar_tensor(1.0, at::kFloat) : alphas_cumprod_[0];
}

at::Tensor TimestepSampler::table_entry(double timestep) const {
  return alphas_cumprod_[static_cast<std::int64_t>(timestep)];
}

at::Tensor TimestepSampler::original_of(const at::Tensor& sample, const at::Tensor& model_output,
                                        const at::Tensor& alpha) const {
  switch (config_.prediction_type) {
    case PredictionType::Epsilon:
      return (sample - (1 - alpha).sqrt() * model_output) / alpha.sqrt();
    case PredictionType::VPrediction:
      return alpha.sqrt() * sample - (1 - alpha).sqrt() * model_output;
    case PredictionType::Sample:
      break;
  }
  return model_output;
}

at::Tensor TimestepSampler::epsilon_of(const at::Tensor& sample, const at::Tensor& model_output,
                                       const at::Tensor& original, const at::Tensor& alpha) const {
  switch (config_.prediction_type) {
    case PredictionType::Epsilon:
      return model_output;
    case PredictionType::VPrediction:
      return alpha.sqrt() * model_output + (1 - alpha).sqrt() * sample;
    case PredictionType::Sample:
      break;
  }
  return (sample - alpha.sqrt() * original) / (1 - alpha).sqrt();
}

}  // namespace ssd1b
