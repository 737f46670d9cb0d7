#pragma once

#include <cstdint>
#include <unordered_map>
#include <vector>

#include "ssd1b/engine.h"

namespace ssd1b {

/// A unit of work that could be made now, as the turn order sees it.
struct Turn {
  std::vector<PictureId> ids;  // one, or all that share the UNet call
  int calls_left = 0;  // of the picture with the fewest; 0 for what is to be done first: the
                       // decode, as a rule
};

/// Which unit of work comes next: that of the picture with the fewest calls left, so that short
/// pictures are not held up by long ones, but nobody is passed over for more than kMaxRounds
/// rounds, each of one unit of every turn. Used by one thread.
class TurnOrder {
 public:
  static constexpr int kMaxRounds = 4;

  /// The index in `turns` (in order of arrival, not empty) of the unit to make; counts everyone as
  /// passed over until it is served.
  std::size_t next(const std::vector<Turn>& turns);

  /// A picture has had its part of a unit.
  void served(PictureId id) { passed_over_[id] = 0; }

  /// Forgets a picture that has ended.
  void forget(PictureId id) { passed_over_.erase(id); }

 private:
  int wait_of(const Turn& turn) const;

  std::unordered_map<PictureId, int> passed_over_;  // units since its last one
};

}  // namespace ssd1b
