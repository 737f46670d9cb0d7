#pragma once

#include <cstdint>
#include <unordered_map>
#include <vector>

#include "ssd1b/engine.h"

namespace ssd1b {

/// A picture in the making, as the turn order sees it.
struct Turn {
  PictureId id = 0;
  int calls_left = 0;  // UNet calls; 0 for what is to be done first: the decode, as a rule
};

/// Whose unit of work comes next: the picture with the fewest calls left, so that short pictures
/// are not held up by long ones, but nobody is passed over for more than kMaxRounds rounds of all
/// pictures in the making. Used by one thread.
class TurnOrder {
 public:
  static constexpr int kMaxRounds = 4;

  /// The index in `turns` (in order of arrival, not empty) of the picture to work on; counts the
  /// others as passed over.
  std::size_t next(const std::vector<Turn>& turns);

  /// Forgets a picture that has ended.
  void forget(PictureId id) { passed_over_.erase(id); }

 private:
  std::unordered_map<PictureId, int> passed_over_;  // units since its last one
};

}  // namespace ssd1b
