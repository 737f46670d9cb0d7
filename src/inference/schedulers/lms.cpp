#include <ATen/ATen.h>

#include <algorithm>
#include <array>
#include <utility>

#include "inference/schedulers/algorithms.h"
#include "inference/schedulers/noise_schedule.h"
#include "inference/schedulers/sampler.h"
#include "inference/schedulers/sigma_curve.h"
#include "inference/schedulers/timestep_spacing.h"

namespace ssd1b {
namespace {

constexpr std::size_t kOrder = 4;

// Gauss-Kronrod quadrature, 21 points on [-1, 1]: the positive nodes and the middle. Fewer points
// would integrate a cubic exactly, but diffusers evaluates it in float32 at these (SciPy's quad),
// and with many steps that rounding shows in the picture.
constexpr std::array<double, 11> kNodes = {0.995657163025808080735527280689003,
                                           0.973906528517171720077964012084452,
                                           0.930157491355708226001207180059508,
                                           0.865063366688984510732096688423493,
                                           0.780817726586416897063717578345042,
                                           0.679409568299024406234327365114874,
                                           0.562757134668604683339000099272694,
                                           0.433395394129247190799265943165784,
                                           0.294392862701460198131126603103866,
                                           0.14887433898163121088482600112972,
                                           0.0};
constexpr std::array<double, 11> kWeights = {
    0.011694638867371874278064396062192, 0.03255816230796472747881897245939,
    0.05475589657435199603138130024458,  0.07503967481091995276704314091619,
    0.093125454583697605535065465083366, 0.109387158802297641899210590325805,
    0.123491976262065851077958109585166, 0.134709217311473325928054001771707,
    0.142775938577060080797094273138717, 0.147739104901338491374841515972068,
    0.149445554002916905664936468389821};

/// diffusers' LMSDiscreteScheduler: the polynomial through the last slopes, integrated.
class Lms final : public SigmaSampler {
 public:
  Lms(const SchedulerConfig& config, const SchedulerStart& start) : SigmaSampler(config, start) {
    const SigmaCurve curve(alphas_cumprod(config_, ZeroSignal::Kept));
    SpacedSigmas spaced = spaced_sigmas(
        config_, curve, as_float32(spaced_timesteps(config_, start.steps)), start.steps);
    spaced.sigmas.push_back(0.0);
    begin_with_sigmas(as_float32(std::move(spaced.timesteps)), sigma_tensor(spaced.sigmas),
                      /*calls_per_step=*/1);
  }

 private:
  at::Tensor step(const at::Tensor& model_output) override {
    const at::Tensor now = sigma(index());
    const at::Tensor original = predicted(original_of(latents(), model_output, now));
    slopes_.insert(slopes_.begin(), (latents() - original) / now);
    if (slopes_.size() > kOrder) slopes_.pop_back();
    const std::size_t order = std::min(index() + 1, kOrder);
    at::Tensor change;
    for (std::size_t i = 0; i < std::min(order, slopes_.size()); ++i) {
      const at::Tensor term = coefficient(order, i) * slopes_[i];
      change = change.defined() ? change + term : term;
    }
    return latents() + change;
  }

  /// The integral over the step of the Lagrange polynomial that is 1 at the slope `which` steps ago
  /// and 0 at the others.
  double coefficient(std::size_t order, std::size_t which) const {
    const double from = sigma(index()).item<double>();
    const double to = sigma(index() + 1).item<double>();
    const double middle = 0.5 * (from + to);
    const double half = 0.5 * (to - from);
    const std::vector<float> sigmas = last_sigmas(order);
    double sum = kWeights.back() * lagrange(sigmas, which, middle);
    for (std::size_t i = 0; i + 1 < kNodes.size(); ++i) {
      const double offset = half * kNodes[i];
      sum += kWeights[i] *
             (lagrange(sigmas, which, middle - offset) + lagrange(sigmas, which, middle + offset));
    }
    return sum * half;
  }

  std::vector<float> last_sigmas(std::size_t order) const {
    std::vector<float> sigmas;
    for (std::size_t i = 0; i < order; ++i) sigmas.push_back(sigma(index() - i).item<float>());
    return sigmas;
  }

  static float lagrange(const std::vector<float>& sigmas, std::size_t which, double at) {
    float product = 1.0F;
    for (std::size_t i = 0; i < sigmas.size(); ++i) {
      if (i == which) continue;
      product *= (static_cast<float>(at) - sigmas[i]) / (sigmas[which] - sigmas[i]);
    }
    return product;
  }

  std::vector<at::Tensor> slopes_;  // newest first, at most kOrder
};

}  // namespace

std::unique_ptr<Scheduler> make_lms(const SchedulerConfig& config, const SchedulerStart& start) {
  return std::make_unique<Lms>(config, start);
}

}  // namespace ssd1b
