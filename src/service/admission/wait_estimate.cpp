#include "service/admission/wait_estimate.h"

#include <algorithm>
#include <cmath>
#include <iterator>

namespace ssd1b {
namespace {

constexpr double kWeightOfNews = 0.25;
constexpr std::size_t kMaxSizes = 512;
constexpr int kLongestRetryAfterS = 3600;

}  // namespace

void WaitEstimate::Table::observe(std::int64_t size, double seconds) {
  if (size <= 0 || !(seconds >= 0.0)) return;
  const auto found = means_.find(size);
  if (found != means_.end()) {
    found->second += kWeightOfNews * (seconds - found->second);
    return;
  }
  // Clients choose sizes: a bound keeps memory flat. A forgotten size counts from its neighbours.
  if (means_.size() >= kMaxSizes) means_.erase(std::next(means_.begin(), size % kMaxSizes));
  means_[size] = seconds;
}

std::optional<double> WaitEstimate::Table::seconds_of(std::int64_t size) const {
  if (means_.empty()) return std::nullopt;
  const auto above = means_.lower_bound(size);
  if (above != means_.end() && above->first == size) return above->second;
  const auto scaled = [&](std::map<std::int64_t, double>::const_iterator seen) {
    return seen->second * static_cast<double>(size) / static_cast<double>(seen->first);
  };
  if (above == means_.end()) return scaled(std::prev(above));
  if (above == means_.begin()) return scaled(above);
  const auto below = std::prev(above);
  const double ratio_above = static_cast<double>(above->first) / static_cast<double>(size);
  const double ratio_below = static_cast<double>(size) / static_cast<double>(below->first);
  return ratio_above < ratio_below ? scaled(above) : scaled(below);
}

void WaitEstimate::observe_call(std::int64_t row_pixels, double seconds) {
  calls_.observe(row_pixels, seconds);
}

void WaitEstimate::observe_rest(std::int64_t latent_pixels, double seconds) {
  rests_.observe(latent_pixels, seconds);
}

std::optional<double> WaitEstimate::seconds_of_call(std::int64_t row_pixels) const {
  return calls_.seconds_of(row_pixels);
}

double WaitEstimate::seconds_of(const Work& work, int calls_left) const {
  const int previews_left =
      work.unet_calls == 0 ? 0 : (work.decodes - 1) * calls_left / work.unet_calls;
  return calls_left * calls_.seconds_of(work.rows * work.latent_pixels).value_or(0.0) +
         (1 + previews_left) * rests_.seconds_of(work.latent_pixels).value_or(0.0);
}

int retry_after_of(double seconds) {
  if (!(seconds > 1.0)) return 1;
  return static_cast<int>(std::min<double>(std::ceil(seconds), kLongestRetryAfterS));
}

}  // namespace ssd1b
