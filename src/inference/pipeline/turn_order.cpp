#include "inference/pipeline/turn_order.h"

#include <algorithm>

namespace ssd1b {

std::size_t TurnOrder::next(const std::vector<Turn>& turns) {
  const int limit = kMaxRounds * static_cast<int>(turns.size());
  std::size_t chosen = 0;
  int longest_wait = -1;
  for (std::size_t i = 0; i < turns.size(); ++i) {
    const int waited = passed_over_[turns[i].id];
    if (waited >= limit && waited > longest_wait) {
      longest_wait = waited;
      chosen = i;
    }
  }
  if (longest_wait < 0) {
    const auto fewest =
        std::min_element(turns.begin(), turns.end(),
                         [](const Turn& a, const Turn& b) { return a.calls_left < b.calls_left; });
    chosen = static_cast<std::size_t>(fewest - turns.begin());
  }
  for (const Turn& turn : turns) ++passed_over_[turn.id];
  passed_over_[turns[chosen].id] = 0;
  return chosen;
}

}  // namespace ssd1b
