#include "inference/pipeline/turn_order.h"

#include <algorithm>

namespace ssd1b {

std::size_t TurnOrder::next(const std::vector<Turn>& turns) {
  // Those who reach it together are served within the round that is left.
  const int limit = (kMaxRounds - 1) * static_cast<int>(turns.size());
  const auto comes_first = [&](const Turn& a, const Turn& b) {
    const int a_wait = wait_of(a), b_wait = wait_of(b);
    if (std::max(a_wait, b_wait) >= limit) return a_wait > b_wait;
    return a.calls_left < b.calls_left;
  };
  const auto chosen = std::min_element(turns.begin(), turns.end(), comes_first);
  for (const Turn& turn : turns) {
    for (const PictureId id : turn.ids) ++passed_over_[id];
  }
  return static_cast<std::size_t>(chosen - turns.begin());
}

int TurnOrder::wait_of(const Turn& turn) const {
  int longest = 0;
  for (const PictureId id : turn.ids) {
    const auto found = passed_over_.find(id);
    if (found != passed_over_.end()) longest = std::max(longest, found->second);
  }
  return longest;
}

}  // namespace ssd1b
