#include "inference/schedulers/scheduler_config.h"

#include <algorithm>
#include <array>
#include <string>
#include <utility>

namespace ssd1b {
namespace {

constexpr std::int64_t kMaxTrainTimesteps = 100000;
constexpr std::array<std::string_view, 6> kKeysOfEveryClass = {
    "num_train_timesteps", "beta_start",    "beta_end",
    "beta_schedule",       "trained_betas", "prediction_type"};

template <typename List>
bool contains(const List& list, std::string_view key) {
  return std::find(list.begin(), list.end(), key) != list.end();
}

/// Reads the keys that a class takes; the others stay at the class's defaults.
class KeyReader {
 public:
  KeyReader(const ConfigDocument& document, const SchedulerKeys& keys)
      : document_(document), keys_(keys) {}

  /// Whether the class takes the key and the file has it, be it null.
  bool takes(const char* key) const { return has(key) && document_.has_key(key); }
  /// The same for a key whose null says nothing.
  bool takes_value(const char* key) const { return has(key) && document_.has(key); }

  void boolean(const char* key, bool& value) const {
    if (takes(key)) value = document_.boolean(key);
  }
  bool flag(const char* key) const { return takes(key) && document_.boolean(key); }
  void number(const char* key, double& value) const {
    if (takes(key)) value = document_.number(key);
  }
  /// A number from 0 to 1.
  void fraction(const char* key, double& value) const {
    number(key, value);
    if (takes(key)) document_.require(value >= 0.0 && value <= 1.0, key, "between 0 and 1");
  }
  void integer(const char* key, std::int64_t low, std::int64_t high, int& value) const {
    if (!takes(key)) return;
    const std::int64_t got = document_.integer(key);
    document_.require(got >= low && got <= high, key,
                      "between " + std::to_string(low) + " and " + std::to_string(high));
    value = static_cast<int>(got);
  }
  template <typename Value>
  void word(const char* key, const Words<Value>& words, Value& value) const {
    if (!takes(key)) return;
    const std::string got = document_.text(key);
    std::string all;
    for (const auto& [name, each] : words) {
      if (got == name) {
        value = each;
        return;
      }
      all += (all.empty() ? "" : ", ") + std::string(name);
    }
    document_.fail(key, "one of " + all);
  }
  /// A switch that changes what a scheduler does in a way that is not followed here.
  void refuse_flag(const char* key) const {
    if (flag(key)) document_.fail(key, "false");
  }
  void refuse_value(const char* key) const {
    if (takes_value(key)) document_.fail(key, "null or absent");
  }

 private:
  bool has(const char* key) const {
    return takes_key(keys_, key) || contains(kKeysOfEveryClass, key);
  }

  const ConfigDocument& document_;
  const SchedulerKeys& keys_;
};

bool looks_at_ends(BetaSchedule schedule) {
  return schedule == BetaSchedule::Linear || schedule == BetaSchedule::ScaledLinear ||
         schedule == BetaSchedule::Sigmoid;
}

void read_noise(const ConfigDocument& document, const KeyReader& reader, const SchedulerKeys& keys,
                SchedulerConfig& config) {
  reader.integer("num_train_timesteps", 2, kMaxTrainTimesteps, config.num_train_timesteps);
  if (reader.takes_value("trained_betas")) {
    config.trained_betas = document.numbers("trained_betas");
    document.require(
        config.trained_betas.size() == static_cast<std::size_t>(config.num_train_timesteps),
        "trained_betas", "a list of num_train_timesteps numbers");
  } else {
    reader.word("beta_schedule", keys.beta_schedules, config.beta_schedule);
    if (looks_at_ends(config.beta_schedule)) {
      reader.fraction("beta_start", config.beta_start);
      reader.fraction("beta_end", config.beta_end);
    }
  }
  reader.boolean("rescale_betas_zero_snr", config.rescale_betas_zero_snr);
  reader.word("prediction_type", keys.prediction_types, config.prediction_type);
}

void read_sigma_kind(const ConfigDocument& document, const KeyReader& reader,
                     SchedulerConfig& config) {
  const std::pair<const char*, SigmaKind> kinds[] = {
      {"use_karras_sigmas", SigmaKind::Karras},
      {"use_exponential_sigmas", SigmaKind::Exponential},
      {"use_beta_sigmas", SigmaKind::Beta},
  };
  for (const auto& [key, kind] : kinds) {
    // diffusers counts them, and null is no number.
    if (reader.takes(key)) document.require(document.has(key), key, "true or false");
    if (!reader.flag(key)) continue;
    document.require(config.sigma_kind == SigmaKind::Plain, key,
                     "false where another kind of sigmas is asked for");
    config.sigma_kind = kind;
  }
  // Karras' go before Lu's, and these before the others: so diffusers asks.
  if (reader.flag("use_lu_lambdas") && config.sigma_kind != SigmaKind::Karras) {
    config.sigma_kind = SigmaKind::Lu;
  }
}

/// Every class looks for these two, whether it has them as settings of its own or not, but only
/// where it spreads sigmas between them.
void read_sigma_ends(const ConfigDocument& document, SchedulerConfig& config) {
  const SigmaKind kind = config.sigma_kind;
  if (kind == SigmaKind::Plain || kind == SigmaKind::Lu) return;
  if (kind == SigmaKind::Karras && config.karras_ignores_ends) return;
  for (auto [key, value] :
       {std::pair("sigma_min", &config.sigma_min), std::pair("sigma_max", &config.sigma_max)}) {
    if (!document.has(key)) continue;
    *value = document.number(key);
    document.require(**value > 0.0, key, "a number above 0");
  }
}

void read_sigmas(const ConfigDocument& document, const KeyReader& reader, SchedulerConfig& config) {
  reader.word<TimestepSpacing>("timestep_spacing",
                               {{"linspace", TimestepSpacing::Linspace},
                                {"leading", TimestepSpacing::Leading},
                                {"trailing", TimestepSpacing::Trailing}},
                               config.timestep_spacing);
  if (config.timestep_spacing == TimestepSpacing::Leading) {
    reader.integer("steps_offset", -kMaxTrainTimesteps, kMaxTrainTimesteps, config.steps_offset);
  }
  read_sigma_kind(document, reader, config);
  read_sigma_ends(document, config);
  reader.word<FinalSigma>("final_sigmas_type",
                          {{"zero", FinalSigma::Zero}, {"sigma_min", FinalSigma::SigmaMin}},
                          config.final_sigma);
  reader.word<bool>("interpolation_type", {{"linear", false}, {"log_linear", true}},
                    config.log_linear_interpolation);
  if (reader.takes_value("timestep_type")) {
    reader.word<bool>("timestep_type", {{"discrete", false}, {"continuous", true}},
                      config.continuous_timesteps);
  }
}

void read_clipping(const ConfigDocument& document, const KeyReader& reader,
                   SchedulerConfig& config) {
  reader.boolean("set_alpha_to_one", config.set_alpha_to_one);
  reader.boolean("clip_sample", config.clip_sample);
  reader.boolean("thresholding", config.thresholding);
  // One or the other is done, and only its settings are looked at.
  if (config.thresholding) {
    reader.fraction("dynamic_thresholding_ratio", config.dynamic_thresholding_ratio);
    if (reader.takes("sample_max_value")) {
      config.sample_max_value = document.optional_number("sample_max_value")
                                    .value_or(std::numeric_limits<double>::infinity());
    }
  } else if (config.clip_sample) {
    reader.number("clip_sample_range", config.clip_sample_range);
  }
}

void read_solver(const ConfigDocument& document, const KeyReader& reader, const SchedulerKeys& keys,
                 SchedulerConfig& config) {
  reader.integer("solver_order", 1, 3, config.solver_order);
  reader.word("algorithm_type", keys.algorithms, config.algorithm);
  if (integrates_noise(config.algorithm)) {
    document.require(config.final_sigma == FinalSigma::SigmaMin, "final_sigmas_type",
                     "sigma_min with an algorithm_type that is not one of ++");
  }
  if (config.algorithm == SolverAlgorithm::SdeDpmSolver) {
    document.require(config.solver_order < 3, "solver_order", "1 or 2 with sde-dpmsolver");
  }
  reader.word("solver_type", keys.solver_types, config.solver_type);
  reader.boolean("lower_order_final", config.lower_order_final);
  reader.boolean("euler_at_final", config.euler_at_final);
  if (reader.takes("lambda_min_clipped")) {
    const auto lambda = document.optional_number_or_infinity("lambda_min_clipped");
    if (!lambda) document.fail("lambda_min_clipped", "a number, Infinity or -Infinity");
    config.lambda_min_clipped = *lambda;
  }
  reader.boolean("predict_x0", config.predict_x0);
  if (reader.takes("disable_corrector")) {
    config.disable_corrector = document.integers("disable_corrector");
  }
}

/// Only variances that the UNet does not predict. A word that diffusers does not know means
/// fixed_small to it, and the solvers look at none of them.
void read_variance(const ConfigDocument& document, const KeyReader& reader,
                   SchedulerConfig& config) {
  if (!reader.takes_value("variance_type")) return;
  const std::string got = document.text("variance_type");
  document.require(got != "learned" && got != "learned_range", "variance_type",
                   "a variance that is not learned");
  const Words<VarianceType> words = {{"fixed_small_log", VarianceType::FixedSmallLog},
                                     {"fixed_large", VarianceType::FixedLarge},
                                     {"fixed_large_log", VarianceType::FixedLargeLog}};
  for (const auto& [name, each] : words) {
    if (got == name) config.variance_type = each;
  }
}

void read_of_one_class(const ConfigDocument& document, const KeyReader& reader,
                       const SchedulerKeys& keys, SchedulerConfig& config) {
  reader.boolean("skip_prk_steps", config.skip_prk_steps);
  reader.integer(kOriginalSteps, 1, kMaxTrainTimesteps, config.original_inference_steps);
  document.require(!takes_key(keys, kOriginalSteps) ||
                       config.original_inference_steps <= config.num_train_timesteps,
                   kOriginalSteps,
                   "at most num_train_timesteps, " + std::to_string(config.num_train_timesteps) +
                       " (without it, it is " +
                       std::to_string(SchedulerConfig().original_inference_steps) + ")");
  reader.number("timestep_scaling", config.timestep_scaling);
  reader.refuse_flag("use_flow_sigmas");
  reader.refuse_flag("use_dynamic_shifting");
  reader.refuse_value("shift_terminal");
  reader.refuse_value("solver_p");
}

}  // namespace

bool takes_key(const SchedulerKeys& keys, std::string_view key) { return contains(keys.keys, key); }

bool integrates_noise(SolverAlgorithm algorithm) {
  return algorithm == SolverAlgorithm::DpmSolver || algorithm == SolverAlgorithm::SdeDpmSolver;
}

ConfigDocument without_defaults(const ConfigDocument& document) {
  if (!document.has("_use_default_values")) return document;
  return document.without(document.texts("_use_default_values"));
}

SchedulerConfig read_scheduler_config(const ConfigDocument& document, const SchedulerKeys& keys,
                                      const SchedulerConfig& defaults) {
  const KeyReader reader(document, keys);
  SchedulerConfig config = defaults;
  read_noise(document, reader, keys, config);
  read_sigmas(document, reader, config);
  read_clipping(document, reader, config);
  read_solver(document, reader, keys, config);
  read_variance(document, reader, config);
  read_of_one_class(document, reader, keys, config);
  return config;
}

}  // namespace ssd1b
