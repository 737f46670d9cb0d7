#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>

#include "inference/schedulers/scheduler_choice.h"
#include "ssd1b/error.h"

namespace ssd1b {
namespace {

SchedulerChoice choice_of(const std::string& class_name, const std::string& settings) {
  return {ConfigDocument::parse(settings, "scheduler_config.json"), class_name};
}

SchedulerChoice stable_diffusion() {
  return choice_of("EulerDiscreteScheduler", R"({
      "beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear",
      "timestep_spacing": "leading", "steps_offset": 1, "skip_prk_steps": true,
      "set_alpha_to_one": false, "clip_sample": false})");
}

SchedulerStart start_of(int steps) {
  SchedulerStart start;
  start.steps = steps;
  start.noise = at::ones({1, 4, 4, 4});
  start.noise_source = [](at::ScalarType dtype) { return at::zeros({1, 4, 4, 4}, dtype); };
  return start;
}

/// Of all calls, made with answers of their own inputs.
std::vector<double> timesteps_of(Scheduler& scheduler) {
  std::vector<double> timesteps;
  while (const auto timestep = scheduler.next_timestep()) {
    timesteps.push_back(*timestep);
    scheduler.feed(scheduler.model_input());
  }
  return timesteps;
}

TEST(Euler, BeginsAtTheNoiseOfItsFirstTimestep) {
  const struct {
    int steps;
    double timestep, sigma, init;
  } cases[] = {{4, 751, 4.116696, 4.236412},    {8, 876, 7.371844, 7.439361},
               {20, 951, 11.028331, 11.073576}, {25, 961, 11.676046, 11.718791},
               {30, 958, 11.476846, 11.520330}, {50, 981, 13.120411, 13.158464}};
  for (const auto& each : cases) {
    const auto scheduler = stable_diffusion().make("euler", start_of(each.steps));
    EXPECT_EQ(scheduler->next_timestep(), each.timestep);
    EXPECT_NEAR(scheduler->latents().max().item<double>(), each.init, 2e-5);
    EXPECT_NEAR(scheduler->model_input().max().item<double>(), 1.0, 1e-6);
  }
}

/// On libtorch's meta device operations check shapes and devices and compute nothing; what reads a
/// value back - .item(), a copy to the host, what makes the host wait for a GPU - throws.
TEST(EveryScheduler, NeverWaitsForTheDevice) {
  const at::TensorOptions meta = at::dtype(at::kHalf).device(at::kMeta);
  const SchedulerChoice choice = stable_diffusion();
  for (const SchedulerInfo& info : choice.list()) {
    SchedulerStart start;
    start.steps = 6;
    start.noise = at::empty({1, 4, 4, 4}, meta);
    start.noise_source = [&](at::ScalarType dtype) {
      return at::empty({1, 4, 4, 4}, meta.dtype(dtype));
    };
    EXPECT_NO_THROW({
      const auto scheduler = choice.make(info.name, start);
      while (scheduler->next_timestep()) scheduler->feed(scheduler->model_input() * 0.5);
      EXPECT_TRUE(scheduler->latents().is_meta());
    }) << info.name;
  }
  EXPECT_THROW(at::empty({1}, meta).item(), c10::Error);
}

/// A model that knows the picture leads every scheduler to it, but for the noise that is left at
/// timestep 0 and timesteps rounded beside their sigmas.
TEST(EveryScheduler, ArrivesAtThePictureThatTheModelKnows) {
  const SchedulerChoice choice = stable_diffusion();
  const at::Tensor betas = at::linspace(std::sqrt(0.00085), std::sqrt(0.012), 1000).pow(2);
  const at::Tensor products = at::cumprod(1 - betas, 0);
  const at::Tensor picture = at::linspace(-1.0, 1.0, 64).reshape({1, 4, 4, 4});
  for (const SchedulerInfo& info : choice.list()) {
    const auto scheduler = choice.make(info.name, start_of(20));
    while (const auto timestep = scheduler->next_timestep()) {
      const auto at = static_cast<std::int64_t>(std::lround(*timestep));
      const at::Tensor product = products[at];
      scheduler->feed((scheduler->model_input() - product.sqrt() * picture) / (1 - product).sqrt());
    }
    const at::Tensor off = (scheduler->latents() - picture).abs().max();
    EXPECT_LT(off.item<double>(), 0.1) << info.name;
  }
}

/// Every scheduler of a config: the calls that admission counts with are those that are made.
void expect_counted_calls(const std::string& settings, std::initializer_list<int> step_counts) {
  SCOPED_TRACE(settings);
  const SchedulerChoice choice =
      choice_of("EulerDiscreteScheduler", R"({"beta_schedule": "scaled_linear")" + settings + "}");
  ModelInfo model;
  model.schedulers = choice.list();
  for (const SchedulerInfo& info : choice.list()) {
    for (const int steps : step_counts) {
      if (steps < info.min_steps || steps > info.max_steps) continue;
      GenerationRequest request = default_request(model);
      request.scheduler = info.name;
      request.steps = steps;
      const auto scheduler = choice.make(info.name, start_of(steps));
      EXPECT_EQ(static_cast<int>(timesteps_of(*scheduler).size()),
                work_of(request, model).unet_calls)
          << info.name << " " << steps;
    }
  }
}

TEST(EveryScheduler, MakesTheCallsThatAdmissionCountsWith) {
  // With "trailing", 61 and 103 steps are 62 and 104 timesteps.
  for (const char* settings :
       {R"(, "timestep_spacing": "leading", "steps_offset": 1, "skip_prk_steps": true)",
        R"(, "timestep_spacing": "linspace", "skip_prk_steps": false)",
        R"(, "timestep_spacing": "trailing")", R"(, "timestep_spacing": "trailing",
            "skip_prk_steps": true, "lambda_min_clipped": -3.0)",
        R"(, "timestep_spacing": "trailing", "use_karras_sigmas": true)",
        R"(, "timestep_spacing": "leading", "lambda_min_clipped": -Infinity)"}) {
    expect_counted_calls(settings, {1, 2, 3, 4, 5, 20, 50, 61, 103, 149, 150});
  }
}

TEST(Pndm, NeedsFourStepsToBeginWithRungeKutta) {
  const SchedulerChoice choice = choice_of("PNDMScheduler", R"({"skip_prk_steps": false})");
  for (const SchedulerInfo& info : choice.list()) {
    EXPECT_EQ(info.min_steps, info.name == "pndm" ? 4 : 1) << info.name;
  }
  EXPECT_EQ(timesteps_of(*choice.make("pndm", start_of(4))).size(), 13u);
  EXPECT_THROW(choice.make("pndm", start_of(3)), Error);
}

TEST(EveryScheduler, KeepsTheDtypeOfTheNoise) {
  const SchedulerChoice choice = stable_diffusion();
  for (const SchedulerInfo& info : choice.list()) {
    for (const at::ScalarType dtype : {at::kHalf, at::kBFloat16}) {
      SchedulerStart start = start_of(4);
      start.noise = start.noise.to(dtype);
      const auto scheduler = choice.make(info.name, start);
      while (scheduler->next_timestep()) {
        EXPECT_EQ(scheduler->model_input().scalar_type(), dtype) << info.name;
        scheduler->feed(scheduler->model_input());
        EXPECT_EQ(scheduler->denoised().scalar_type(), dtype) << info.name;
      }
      EXPECT_EQ(scheduler->latents().scalar_type(), dtype) << info.name;
    }
  }
}

TEST(EveryScheduler, BeginsLaterWithAPicture) {
  const SchedulerChoice choice = stable_diffusion();
  for (const SchedulerInfo& info : choice.list()) {
    SchedulerStart start = start_of(10);
    start.start_index = 4;
    start.image = at::full({1, 4, 4, 4}, 0.5);
    const auto scheduler = choice.make(info.name, start);
    EXPECT_FALSE(scheduler->latents().equal(start.image)) << info.name;
    const std::vector<double> rest = timesteps_of(*scheduler);
    const std::vector<double> whole = timesteps_of(*choice.make(info.name, start_of(10)));
    ASSERT_LT(rest.size(), whole.size()) << info.name;
    EXPECT_EQ(rest, std::vector<double>(whole.end() - rest.size(), whole.end())) << info.name;
  }
}

TEST(EveryScheduler, RefusesAnAnswerThatWasNotAskedFor) {
  const auto scheduler = stable_diffusion().make("ddim", start_of(1));
  scheduler->feed(scheduler->latents());
  EXPECT_THROW(scheduler->feed(scheduler->latents()), Error);
}

void expect_a_picture_of_how_far_it_is(const SchedulerChoice& choice, const std::string& name) {
  const auto scheduler = choice.make(name, start_of(5));
  EXPECT_TRUE(scheduler->denoised().equal(scheduler->latents())) << name;
  scheduler->feed(at::full({1, 4, 4, 4}, 0.1));
  EXPECT_FALSE(scheduler->denoised().equal(scheduler->latents())) << name;
}

TEST(EveryScheduler, KeepsAPictureOfHowFarItIs) {
  const SchedulerChoice choice = stable_diffusion();
  for (const SchedulerInfo& info : choice.list()) {
    expect_a_picture_of_how_far_it_is(choice, info.name);
  }
  const char* predicts_noise = R"({"predict_x0": false})";
  expect_a_picture_of_how_far_it_is(choice_of("UniPCMultistepScheduler", predicts_noise), "unipc");
}

}  // namespace
}  // namespace ssd1b
