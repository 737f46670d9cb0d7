#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "inference/schedulers/scheduler_choice.h"
#include "ssd1b/error.h"

namespace ssd1b {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

const std::string kStableDiffusion =
    R"("beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear",
       "timestep_spacing": "leading", "steps_offset": 1, "skip_prk_steps": true,
       "set_alpha_to_one": false, "clip_sample": false)";

SchedulerChoice choice_of(const std::string& class_name, const std::string& more = "") {
  return {ConfigDocument::parse("{" + kStableDiffusion + more + "}", "scheduler_config.json"),
          class_name};
}

std::string refusal(const std::string& class_name, const std::string& more) {
  try {
    choice_of(class_name, more);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::BadModel);
    return error.what();
  }
  return "none";
}

bool lists(const SchedulerChoice& choice, const std::string& name) {
  for (const SchedulerInfo& each : choice.list()) {
    if (each.name == name) return true;
  }
  return false;
}

TEST(SchedulerChoice, ListsEveryName) {
  const SchedulerChoice choice = choice_of("EulerDiscreteScheduler");
  EXPECT_EQ(choice.own_name(), "euler");
  for (const char* name :
       {"euler", "euler_a", "heun", "ddim", "ddpm", "pndm", "lms", "dpmpp_2m", "dpmpp_2m_sde",
        "dpmpp_2s", "dpmpp_sde", "dpm2", "dpm2_a", "unipc", "deis", "lcm", "tcd"}) {
    EXPECT_TRUE(lists(choice, name)) << name;
  }
  for (const char* name : {"euler", "heun", "lms", "dpmpp_2m", "dpmpp_2m_sde", "dpmpp_2s",
                           "dpmpp_sde", "dpm2", "dpm2_a", "unipc"}) {
    EXPECT_TRUE(lists(choice, std::string(name) + "_karras")) << name;
  }
  EXPECT_EQ(choice.list().size(), 27U);
}

TEST(SchedulerChoice, LimitsStepsOfDistilledSchedulers) {
  const SchedulerChoice choice = choice_of("LCMScheduler", R"(, "original_inference_steps": 40)");
  for (const SchedulerInfo& each : choice.list()) {
    EXPECT_EQ(each.max_steps, each.name == "lcm" || each.name == "tcd" ? 40 : 150) << each.name;
  }
}

TEST(SchedulerChoice, KnowsWhetherTheFoldersOwnIsForFewSteps) {
  EXPECT_TRUE(choice_of("LCMScheduler").own_is_distilled());
  EXPECT_TRUE(choice_of("TCDScheduler").own_is_distilled());
  EXPECT_FALSE(choice_of("DDIMScheduler").own_is_distilled());
}

TEST(SchedulerChoice, NeedsAsManyTrainTimestepsAsDistilledSchedulersSkipTo) {
  const SchedulerChoice few = choice_of("EulerDiscreteScheduler", R"(, "num_train_timesteps": 49)");
  EXPECT_TRUE(lists(few, "euler"));
  EXPECT_FALSE(lists(few, "lcm"));
  EXPECT_FALSE(lists(few, "tcd"));
  EXPECT_THAT(refusal("TCDScheduler", R"(, "num_train_timesteps": 49)"),
              HasSubstr("original_inference_steps must be at most num_train_timesteps, 49"));
  EXPECT_TRUE(lists(
      choice_of("LCMScheduler", R"(, "num_train_timesteps": 49, "original_inference_steps": 49)"),
      "lcm"));
}

TEST(SchedulerChoice, TakesNullForAbsentWhereItSaysNothing) {
  const SchedulerChoice choice = choice_of(
      "DPMSolverMultistepScheduler",
      R"(, "trained_betas": null, "sigma_min": null, "sigma_max": null, "variance_type": null,
           "solver_p": null, "shift_terminal": null, "timestep_type": null,
           "clip_sample_range": null, "dynamic_thresholding_ratio": null)");
  EXPECT_EQ(choice.list().size(), 27U);
}

TEST(SchedulerChoice, KnowsTheFoldersOwnScheduler) {
  EXPECT_EQ(choice_of("PNDMScheduler").own_name(), "pndm");
  EXPECT_EQ(choice_of("DPMSolverMultistepScheduler").own_name(), "dpmpp_2m");
  const SchedulerChoice stochastic =
      choice_of("DPMSolverMultistepScheduler", R"(, "algorithm_type": "sde-dpmsolver++")");
  EXPECT_EQ(stochastic.own_name(), "dpmpp_2m_sde");
  EXPECT_EQ(stochastic.name_of("DPMSolverMultistepScheduler"), "dpmpp_2m_sde");
}

TEST(SchedulerChoice, ListsSolversOfTheNoiseWhereTheLastSigmaIsNotZero) {
  const std::string ends_above_zero = R"(, "final_sigmas_type": "sigma_min")";
  const SchedulerChoice choice = choice_of("DPMSolverMultistepScheduler",
                                           ends_above_zero + R"(, "algorithm_type": "dpmsolver")");
  EXPECT_EQ(choice.own_name(), "dpm_2m");
  EXPECT_TRUE(lists(choice, "dpm_2m_sde"));
  EXPECT_FALSE(lists(choice_of("DPMSolverMultistepScheduler"), "dpm_2m"));
  EXPECT_EQ(choice_of("DPMSolverMultistepScheduler",
                      ends_above_zero + R"(, "algorithm_type": "sde-dpmsolver")")
                .own_name(),
            "dpm_2m_sde");
}

TEST(SchedulerChoice, IgnoresWhatDiffusersNotedAsNotGiven) {
  const SchedulerChoice choice =
      choice_of("DPMSolverMultistepScheduler",
                R"(, "algorithm_type": "none", "use_beta_sigmas": true, "use_karras_sigmas": true,
           "_use_default_values": ["algorithm_type", "use_beta_sigmas", "use_karras_sigmas"])");
  EXPECT_EQ(choice.own_name(), "dpmpp_2m");
  EXPECT_TRUE(lists(choice, "dpmpp_2m_karras"));
}

TEST(SchedulerChoice, LooksAtTheEndsOfSigmasOnlyWhereTheyAreSpread) {
  const std::string ends = R"(, "sigma_min": 0, "sigma_max": -1)";
  const SchedulerChoice choice = choice_of("UniPCMultistepScheduler", ends);
  EXPECT_TRUE(lists(choice, "unipc"));
  EXPECT_FALSE(lists(choice, "unipc_karras"));
  EXPECT_TRUE(lists(choice, "lms_karras"));  // this class has ends of its own
  EXPECT_THAT(refusal("UniPCMultistepScheduler", ends + R"(, "use_beta_sigmas": true)"),
              HasSubstr("sigma_min must be a number above 0"));
}

TEST(SchedulerChoice, TakesNamesAndClasses) {
  const SchedulerChoice choice = choice_of("EulerDiscreteScheduler");
  EXPECT_EQ(choice.name_of("unipc_karras"), "unipc_karras");
  EXPECT_EQ(choice.name_of("KDPM2AncestralDiscreteScheduler"), "dpm2_a");
  EXPECT_EQ(choice.name_of("DPMSolverMultistepScheduler"), "dpmpp_2m");
  try {
    choice.name_of("euler2");
    FAIL() << "euler2 was taken";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::InvalidValue);
    EXPECT_EQ(error.param(), "scheduler");
    EXPECT_THAT(error.what(), HasSubstr("scheduler must be one of euler, euler_karras"));
  }
}

TEST(SchedulerChoice, RefusesAFolderOfAnotherClass) {
  EXPECT_THAT(refusal("FlowMatchEulerDiscreteScheduler", ""),
              AllOf(HasSubstr("scheduler_config.json"), HasSubstr("model_index.json"),
                    HasSubstr("EulerDiscreteScheduler"), HasSubstr("FlowMatch")));
}

TEST(SchedulerChoice, RefusesSettingsThatAreNotFollowed) {
  const struct {
    const char* class_name;
    const char* key;
    const char* value;
  } cases[] = {
      {"UniPCMultistepScheduler", "use_flow_sigmas", "true"},
      {"UniPCMultistepScheduler", "solver_p", "{}"},
      {"UniPCMultistepScheduler", "solver_order", "0"},
      {"UniPCMultistepScheduler", "solver_type", "\"bh3\""},
      {"DPMSolverMultistepScheduler", "algorithm_type", "\"dpmsolver\""},
      {"DPMSolverMultistepScheduler", "algorithm_type", "\"data_prediction\""},
      {"DPMSolverSinglestepScheduler", "algorithm_type", "\"sde-dpmsolver\""},
      {"DPMSolverMultistepScheduler", "variance_type", "\"learned_range\""},
      {"EulerDiscreteScheduler", "prediction_type", "\"flow_prediction\""},
      {"EulerDiscreteScheduler", "timestep_spacing", "\"even\""},
      {"EulerDiscreteScheduler", "num_train_timesteps", "0"},
      {"EulerDiscreteScheduler", "use_karras_sigmas", "1"},
      {"EulerDiscreteScheduler", "trained_betas", "[0.1, 0.2]"},
      {"EulerAncestralDiscreteScheduler", "prediction_type", "\"sample\""},
      {"EulerDiscreteScheduler", "num_train_timesteps", "null"},
      {"EulerDiscreteScheduler", "beta_start", "null"},
      {"EulerDiscreteScheduler", "timestep_spacing", "null"},
      {"EulerDiscreteScheduler", "use_beta_sigmas", "null"},
      {"DDIMScheduler", "steps_offset", "null"},
      {"DPMSolverMultistepScheduler", "lambda_min_clipped", "null"},
      {"UniPCMultistepScheduler", "disable_corrector", "null"},
      {"LCMScheduler", "original_inference_steps", "null"},
      {"DDIMScheduler", "beta_schedule", "\"sigmoid\""},
  };
  for (const auto& each : cases) {
    const std::string text = std::string("{\"") + each.key + "\": " + each.value + "}";
    try {
      SchedulerChoice choice(ConfigDocument::parse(text, "scheduler_config.json"), each.class_name);
      ADD_FAILURE() << each.key << " was taken";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::BadModel);
      EXPECT_THAT(error.what(), AllOf(HasSubstr("scheduler_config.json"), HasSubstr(each.key)));
    }
  }
}

TEST(SchedulerChoice, LeavesOutWhatTheClassesOfDiffusersRefuse) {
  const SchedulerChoice sample =
      choice_of("EulerDiscreteScheduler", R"(, "prediction_type": "sample")");
  EXPECT_FALSE(lists(sample, "euler_a"));
  EXPECT_FALSE(lists(sample, "dpm2"));
  EXPECT_TRUE(lists(sample, "unipc"));
  const SchedulerChoice beta = choice_of("EulerDiscreteScheduler", R"(, "use_beta_sigmas": true)");
  EXPECT_TRUE(lists(beta, "euler"));
  EXPECT_FALSE(lists(beta, "euler_karras"));
  EXPECT_THAT(
      refusal("EulerDiscreteScheduler", R"(, "use_beta_sigmas": true, "use_karras_sigmas": true)"),
      HasSubstr("use_beta_sigmas"));
}

TEST(SchedulerChoice, TakesLuLambdasBesideAnyOneOtherKind) {
  const char* solver = "DPMSolverMultistepScheduler";
  const SchedulerChoice beta =
      choice_of(solver, R"(, "use_lu_lambdas": true, "use_beta_sigmas": true)");
  EXPECT_TRUE(lists(beta, "dpmpp_2m"));
  EXPECT_FALSE(lists(beta, "dpmpp_2m_karras"));
  const SchedulerChoice karras =
      choice_of(solver, R"(, "use_lu_lambdas": true, "use_karras_sigmas": true)");
  EXPECT_TRUE(lists(karras, "dpmpp_2m_karras"));
}

TEST(SchedulerChoice, RefusesStepsOutOfRange) {
  const SchedulerChoice choice = choice_of("EulerDiscreteScheduler");
  SchedulerStart start;
  start.noise = at::zeros({1, 4, 2, 2});
  for (const int steps : {0, 51}) {
    start.steps = steps;
    EXPECT_THROW(choice.make("lcm", start), Error);
  }
  start.steps = 10;
  start.start_index = 10;
  EXPECT_THROW(choice.make("euler", start), Error);
}

}  // namespace
}  // namespace ssd1b
