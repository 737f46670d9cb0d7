#include "inference/pipeline/turn_order.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace ssd1b {
namespace {

TEST(TurnOrder, FewestCallsLeftComesFirst) {
  TurnOrder order;

  EXPECT_EQ(order.next({{1, 50}, {2, 4}, {3, 20}}), 1u);
}

TEST(TurnOrder, EqualPicturesKeepTheirOrderOfArrival) {
  TurnOrder order;

  EXPECT_EQ(order.next({{7, 10}, {8, 10}}), 0u);
  EXPECT_EQ(order.next({{7, 9}, {8, 10}}), 0u);
}

TEST(TurnOrder, NobodyIsPassedOverForMoreThanFourRounds) {
  TurnOrder order;
  std::vector<Turn> turns = {{1, 1000}, {2, 4}, {3, 8}};
  int longest_wait = 0;
  std::vector<int> waits(turns.size(), 0);

  for (int unit = 0; unit < 500; ++unit) {
    const std::size_t chosen = order.next(turns);
    for (std::size_t i = 0; i < turns.size(); ++i) {
      waits[i] = i == chosen ? 0 : waits[i] + 1;
      longest_wait = std::max(longest_wait, waits[i]);
    }
    // The short ones never get done, as under a stream of new short pictures.
  }

  const int one_late = static_cast<int>(turns.size());
  EXPECT_LE(longest_wait, TurnOrder::kMaxRounds * static_cast<int>(turns.size()) + one_late);
  EXPECT_GE(longest_wait, TurnOrder::kMaxRounds * static_cast<int>(turns.size()));
}

TEST(TurnOrder, AShortNewcomerEndsBeforeThoseWithMoreCallsLeft) {
  TurnOrder order;
  std::vector<Turn> turns = {{1, 50}, {2, 50}};
  for (int unit = 0; unit < 10; ++unit) --turns[order.next(turns)].calls_left;
  turns.push_back({3, 4});

  int units = 0;
  while (turns[2].calls_left > 0) {
    --turns[order.next(turns)].calls_left;
    ++units;
  }

  EXPECT_LE(units, 5 * 3);
  EXPECT_GT(turns[0].calls_left, 0);
  EXPECT_GT(turns[1].calls_left, 0);
}

TEST(TurnOrder, APictureThatEndedIsForgotten) {
  TurnOrder order;
  for (int unit = 0; unit < 7; ++unit) order.next({{1, 1}, {2, 9}});

  order.forget(2);  // had been passed over seven times

  EXPECT_EQ(order.next({{1, 1}, {2, 9}}), 0u);
  EXPECT_EQ(order.next({{1, 1}, {2, 9}}), 0u);
}

}  // namespace
}  // namespace ssd1b
