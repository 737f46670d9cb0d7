#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "inference/weights/config_document.h"

namespace ssd1b {

enum class BetaSchedule { Linear, ScaledLinear, SquaredCosine, Exponential, Laplace, Sigmoid };
enum class PredictionType { Epsilon, Sample, VPrediction };
enum class TimestepSpacing { Linspace, Leading, Trailing };
enum class SigmaKind { Plain, Karras, Exponential, Beta, Lu };
enum class FinalSigma { Zero, SigmaMin };
/// Of DPM-Solver; those named ++ integrate predictions of the clean latents, the others of the
/// noise.
enum class SolverAlgorithm { DpmSolverPlus, SdeDpmSolverPlus, DpmSolver, SdeDpmSolver };
enum class SolverType { Midpoint, Heun, Bh1, Bh2 };
enum class VarianceType { FixedSmall, FixedSmallLog, FixedLarge, FixedLargeLog };

/// The settings of one scheduler class, as its from_config takes them from scheduler_config.json:
/// the keys that the class has, the class's own defaults for the rest.
struct SchedulerConfig {
  int num_train_timesteps = 1000;
  double beta_start = 0.0001;
  double beta_end = 0.02;
  BetaSchedule beta_schedule = BetaSchedule::Linear;
  std::vector<double> trained_betas;    // empty: from the schedule
  bool rescale_betas_zero_snr = false;  // the last timestep is pure noise
  PredictionType prediction_type = PredictionType::Epsilon;

  TimestepSpacing timestep_spacing = TimestepSpacing::Linspace;
  int steps_offset = 0;
  SigmaKind sigma_kind = SigmaKind::Plain;
  bool karras_ignores_ends = false;            // a quirk of LMS and DPM++ SDE
  std::optional<double> sigma_min, sigma_max;  // the ends of sigma_kind; absent: the schedule's
  FinalSigma final_sigma = FinalSigma::Zero;
  bool log_linear_interpolation = false;  // Euler: interpolation_type
  bool continuous_timesteps = false;      // Euler: timestep_type
  bool has_timesteps_of_sigmas() const {  // Euler's "continuous" does nothing for others
    return continuous_timesteps && prediction_type == PredictionType::VPrediction;
  }

  bool set_alpha_to_one = true;  // the step after timestep 0 goes to a clean picture
  bool clip_sample = false;
  double clip_sample_range = 1.0;
  bool thresholding = false;
  double dynamic_thresholding_ratio = 0.995;
  double sample_max_value = 1.0;  // null: infinity

  bool skip_prk_steps = false;                            // PNDM
  VarianceType variance_type = VarianceType::FixedSmall;  // DDPM
  int original_inference_steps = 50;                      // LCM, TCD
  double timestep_scaling = 10.0;                         // LCM

  int solver_order = 2;
  SolverAlgorithm algorithm = SolverAlgorithm::DpmSolverPlus;
  SolverType solver_type = SolverType::Midpoint;
  bool lower_order_final = true;
  bool euler_at_final = false;
  double lambda_min_clipped = -std::numeric_limits<double>::infinity();
  bool predict_x0 = true;                       // UniPC
  std::vector<std::int64_t> disable_corrector;  // UniPC: steps without it
};

/// Words of a key and what each stands for.
template <typename Value>
using Words = std::vector<std::pair<const char*, Value>>;

/// What one class takes from the file.
struct SchedulerKeys {
  std::vector<std::string_view> keys;  // besides those that every class takes
  Words<BetaSchedule> beta_schedules;
  Words<PredictionType> prediction_types;
  Words<SolverAlgorithm> algorithms;
  Words<SolverType> solver_types;
};

/// Whether a class has the key as a setting of its own.
bool takes_key(const SchedulerKeys& keys, std::string_view key);

bool integrates_noise(SolverAlgorithm algorithm);

/// The key that only classes for models distilled to few steps take.
inline constexpr const char* kOriginalSteps = "original_inference_steps";

/// The document without what diffusers wrote down as not given by the user (_use_default_values).
ConfigDocument without_defaults(const ConfigDocument& document);

/// The settings of a class that takes `keys` and has `defaults` for those that the file has not.
/// null is a value, as in diffusers: false for a boolean, no number and no word; only where it is
/// the class's own default, or nothing but its absence, does it count as absent. Throws
/// Error(BadModel) that names file and key for a wrong type, a value out of range and a setting
/// that is not followed (flow matching, learned variance, a solver inside a solver).
SchedulerConfig read_scheduler_config(const ConfigDocument& document, const SchedulerKeys& keys,
                                      const SchedulerConfig& defaults);

}  // namespace ssd1b
