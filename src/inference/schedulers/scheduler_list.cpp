#include "inference/schedulers/scheduler_list.h"

#include <initializer_list>

#include "inference/schedulers/algorithms.h"
#include "inference/schedulers/call_count.h"

namespace ssd1b {
namespace {

const Words<BetaSchedule> kBetaSchedules = {{"linear", BetaSchedule::Linear},
                                            {"scaled_linear", BetaSchedule::ScaledLinear},
                                            {"squaredcos_cap_v2", BetaSchedule::SquaredCosine}};
const Words<PredictionType> kPredictions = {{"epsilon", PredictionType::Epsilon},
                                            {"v_prediction", PredictionType::VPrediction},
                                            {"sample", PredictionType::Sample}};
const Words<PredictionType> kNoSample = {{"epsilon", PredictionType::Epsilon},
                                         {"v_prediction", PredictionType::VPrediction}};
// A setting of another solver becomes the class's own, as in diffusers.
const Words<SolverType> kDpmTypes = {{"midpoint", SolverType::Midpoint},
                                     {"heun", SolverType::Heun},
                                     {"logrho", SolverType::Midpoint},
                                     {"bh1", SolverType::Midpoint},
                                     {"bh2", SolverType::Midpoint}};
const Words<SolverType> kUniPcTypes = {{"bh1", SolverType::Bh1},
                                       {"bh2", SolverType::Bh2},
                                       {"midpoint", SolverType::Bh2},
                                       {"heun", SolverType::Bh2},
                                       {"logrho", SolverType::Bh2}};

const Words<SolverAlgorithm> kDpmAlgorithms = {
    {"dpmsolver++", SolverAlgorithm::DpmSolverPlus},
    {"sde-dpmsolver++", SolverAlgorithm::SdeDpmSolverPlus},
    {"dpmsolver", SolverAlgorithm::DpmSolver},
    {"deis", SolverAlgorithm::DpmSolverPlus}};

using Keys = std::vector<std::string_view>;

const Keys kSpacing = {"timestep_spacing", "steps_offset"};
const Keys kKinds = {"use_karras_sigmas", "use_exponential_sigmas", "use_beta_sigmas"};
const Keys kClipping = {"clip_sample", "clip_sample_range"};
const Keys kThresholding = {"thresholding", "dynamic_thresholding_ratio", "sample_max_value"};
const Keys kSolver = {"solver_order", "solver_type", "lower_order_final", "use_flow_sigmas"};

Keys joined(std::initializer_list<Keys> lists) {
  Keys all;
  for (const Keys& list : lists) all.insert(all.end(), list.begin(), list.end());
  return all;
}

SchedulerKeys keys_of(std::initializer_list<Keys> lists,
                      const Words<PredictionType>& predictions = kPredictions) {
  SchedulerKeys keys;
  keys.keys = joined(lists);
  keys.beta_schedules = kBetaSchedules;
  keys.prediction_types = predictions;
  return keys;
}

/// Betas of Stable Diffusion, where a class has them as its defaults.
SchedulerConfig stable_diffusion_betas(BetaSchedule schedule) {
  SchedulerConfig config;
  config.beta_start = 0.00085;
  config.beta_end = 0.012;
  config.beta_schedule = schedule;
  return config;
}

SchedulerClass euler() {
  return {"EulerDiscreteScheduler",
          make_euler,
          count_euler,
          keys_of({kSpacing,
                   kKinds,
                   {"interpolation_type", "timestep_type", "rescale_betas_zero_snr",
                    "final_sigmas_type"}}),
          {}};
}

SchedulerClass euler_ancestral() {
  return {"EulerAncestralDiscreteScheduler",
          make_euler_ancestral,
          count_spaced,
          keys_of({kSpacing, {"rescale_betas_zero_snr"}}, kNoSample),
          {}};
}

SchedulerClass heun() {
  SchedulerKeys keys = keys_of({kSpacing, kKinds, kClipping});
  keys.beta_schedules.emplace_back("exp", BetaSchedule::Exponential);
  return {"HeunDiscreteScheduler", make_heun, count_second_order, keys,
          stable_diffusion_betas(BetaSchedule::Linear)};
}

SchedulerClass ddim() {
  SchedulerConfig defaults;
  defaults.clip_sample = true;
  defaults.timestep_spacing = TimestepSpacing::Leading;
  return {
      "DDIMScheduler", make_ddim, count_spaced,
      keys_of({kSpacing, kClipping, kThresholding, {"set_alpha_to_one", "rescale_betas_zero_snr"}}),
      defaults};
}

SchedulerClass ddpm() {
  SchedulerConfig defaults;
  defaults.clip_sample = true;
  defaults.timestep_spacing = TimestepSpacing::Leading;
  SchedulerKeys keys =
      keys_of({kSpacing, kClipping, kThresholding, {"variance_type", "rescale_betas_zero_snr"}});
  keys.beta_schedules.emplace_back("laplace", BetaSchedule::Laplace);
  keys.beta_schedules.emplace_back("sigmoid", BetaSchedule::Sigmoid);
  return {"DDPMScheduler", make_ddpm, count_spaced, keys, defaults};
}

SchedulerClass pndm() {
  SchedulerConfig defaults;
  defaults.set_alpha_to_one = false;
  defaults.timestep_spacing = TimestepSpacing::Leading;
  return {"PNDMScheduler", make_pndm, count_pndm,
          keys_of({kSpacing, {"skip_prk_steps", "set_alpha_to_one"}}, kNoSample), defaults};
}

SchedulerClass lms() {
  SchedulerConfig defaults;
  defaults.karras_ignores_ends = true;
  return {"LMSDiscreteScheduler", make_lms, count_spaced, keys_of({kSpacing, kKinds}), defaults};
}

SchedulerClass dpm_multistep() {
  SchedulerKeys keys =
      keys_of({kSpacing,
               kKinds,
               kThresholding,
               kSolver,
               {"algorithm_type", "euler_at_final", "use_lu_lambdas", "final_sigmas_type",
                "lambda_min_clipped", "variance_type", "rescale_betas_zero_snr"}});
  keys.solver_types = kDpmTypes;
  keys.algorithms = kDpmAlgorithms;
  keys.algorithms.emplace_back("sde-dpmsolver", SolverAlgorithm::SdeDpmSolver);
  return {"DPMSolverMultistepScheduler", make_dpm_multistep, count_clipped_solver, keys, {}};
}

SchedulerClass dpm_singlestep() {
  SchedulerConfig defaults;
  defaults.lower_order_final = false;
  SchedulerKeys keys =
      keys_of({kKinds,
               kThresholding,
               kSolver,
               {"algorithm_type", "final_sigmas_type", "lambda_min_clipped", "variance_type"}});
  keys.solver_types = kDpmTypes;
  keys.algorithms = kDpmAlgorithms;
  return {"DPMSolverSinglestepScheduler", make_dpm_singlestep, count_steps, keys, defaults};
}

SchedulerClass dpm_sde() {
  // noise_sampler_seed is not followed: the request's seed decides.
  SchedulerConfig defaults = stable_diffusion_betas(BetaSchedule::Linear);
  defaults.karras_ignores_ends = true;
  return {"DPMSolverSDEScheduler", make_dpm_sde, count_second_order,
          keys_of({kSpacing, kKinds}, kNoSample), defaults};
}

SchedulerClass dpm2() {
  return {"KDPM2DiscreteScheduler", make_dpm2, count_second_order,
          keys_of({kSpacing, kKinds}, kNoSample), stable_diffusion_betas(BetaSchedule::Linear)};
}

SchedulerClass dpm2_ancestral() {
  return {"KDPM2AncestralDiscreteScheduler", make_dpm2_ancestral, count_second_order,
          keys_of({kSpacing, kKinds}, kNoSample), stable_diffusion_betas(BetaSchedule::Linear)};
}

SchedulerClass unipc() {
  SchedulerKeys keys =
      keys_of({kSpacing,
               kKinds,
               kThresholding,
               kSolver,
               {"predict_x0", "disable_corrector", "solver_p", "shift_terminal",
                "use_dynamic_shifting", "final_sigmas_type", "rescale_betas_zero_snr"}});
  keys.solver_types = kUniPcTypes;
  return {"UniPCMultistepScheduler", make_unipc, count_solver, keys, {}};
}

SchedulerClass deis() {
  SchedulerKeys keys = keys_of({kSpacing, kKinds, kThresholding, kSolver, {"algorithm_type"}});
  keys.solver_types = kDpmTypes;
  keys.algorithms = {{"deis", SolverAlgorithm::DpmSolverPlus},
                     {"dpmsolver", SolverAlgorithm::DpmSolverPlus},
                     {"dpmsolver++", SolverAlgorithm::DpmSolverPlus}};
  return {"DEISMultistepScheduler", make_deis, count_solver, keys, {}};
}

// Both have more keys, as timestep_spacing, that they never look at.
const Keys kDistilled = {kOriginalSteps, "set_alpha_to_one", "rescale_betas_zero_snr"};

SchedulerClass lcm() {
  return {"LCMScheduler", make_lcm, count_steps,
          keys_of({kDistilled, kClipping, kThresholding, {"timestep_scaling"}}),
          stable_diffusion_betas(BetaSchedule::ScaledLinear)};
}

SchedulerClass tcd() {
  return {"TCDScheduler", make_tcd, count_steps, keys_of({kDistilled}),
          stable_diffusion_betas(BetaSchedule::ScaledLinear)};
}

}  // namespace

bool is_distilled(const SchedulerClass& of_class) {
  return takes_key(of_class.keys, kOriginalSteps);
}

const SchedulerClass* find_scheduler_class(const std::string& class_name) {
  static const std::vector<SchedulerClass> classes = {
      euler(),         euler_ancestral(),
      heun(),          ddim(),
      ddpm(),          pndm(),
      lms(),           dpm_sde(),
      dpm2(),          dpm2_ancestral(),
      dpm_multistep(), dpm_singlestep(),
      unipc(),         deis(),
      lcm(),           tcd(),
  };
  for (const SchedulerClass& each : classes) {
    if (class_name == each.name) return &each;
  }
  return nullptr;
}

const std::vector<SchedulerName>& scheduler_names() {
  static const std::pair<std::string, std::string> karras = {"use_karras_sigmas", "true"};
  static const std::pair<std::string, std::string> plus = {"algorithm_type", R"("dpmsolver++")"};
  static const std::pair<std::string, std::string> sde_plus = {"algorithm_type",
                                                               R"("sde-dpmsolver++")"};
  static const std::pair<std::string, std::string> dpm = {"algorithm_type", R"("dpmsolver")"};
  static const std::pair<std::string, std::string> sde_dpm = {"algorithm_type",
                                                              R"("sde-dpmsolver")"};
  static const std::vector<SchedulerName> names = {
      {"euler", "EulerDiscreteScheduler", {}},
      {"euler_karras", "EulerDiscreteScheduler", {karras}},
      {"euler_a", "EulerAncestralDiscreteScheduler", {}},
      {"heun", "HeunDiscreteScheduler", {}},
      {"heun_karras", "HeunDiscreteScheduler", {karras}},
      {"ddim", "DDIMScheduler", {}},
      {"ddpm", "DDPMScheduler", {}},
      {"pndm", "PNDMScheduler", {}},
      {"lms", "LMSDiscreteScheduler", {}},
      {"lms_karras", "LMSDiscreteScheduler", {karras}},
      {"dpmpp_2m", "DPMSolverMultistepScheduler", {plus}},
      {"dpmpp_2m_karras", "DPMSolverMultistepScheduler", {plus, karras}},
      {"dpmpp_2m_sde", "DPMSolverMultistepScheduler", {sde_plus}},
      {"dpmpp_2m_sde_karras", "DPMSolverMultistepScheduler", {sde_plus, karras}},
      {"dpm_2m", "DPMSolverMultistepScheduler", {dpm}},
      {"dpm_2m_sde", "DPMSolverMultistepScheduler", {sde_dpm}},
      {"dpmpp_2s", "DPMSolverSinglestepScheduler", {}},
      {"dpmpp_2s_karras", "DPMSolverSinglestepScheduler", {karras}},
      {"dpmpp_sde", "DPMSolverSDEScheduler", {}},
      {"dpmpp_sde_karras", "DPMSolverSDEScheduler", {karras}},
      {"dpm2", "KDPM2DiscreteScheduler", {}},
      {"dpm2_karras", "KDPM2DiscreteScheduler", {karras}},
      {"dpm2_a", "KDPM2AncestralDiscreteScheduler", {}},
      {"dpm2_a_karras", "KDPM2AncestralDiscreteScheduler", {karras}},
      {"unipc", "UniPCMultistepScheduler", {}},
      {"unipc_karras", "UniPCMultistepScheduler", {karras}},
      {"deis", "DEISMultistepScheduler", {}},
      {"lcm", "LCMScheduler", {}},
      {"tcd", "TCDScheduler", {}},
  };
  return names;
}

}  // namespace ssd1b
