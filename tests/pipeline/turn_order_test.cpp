#include "inference/pipeline/turn_order.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace ssd1b {
namespace {

/// Makes the next unit; its index.
std::size_t make(TurnOrder& order, const std::vector<Turn>& turns) {
  const std::size_t made = order.next(turns);
  for (const PictureId id : turns[made].ids) order.served(id);
  return made;
}

/// The most units in a row that were made without a turn, of which there are no others.
int longest_wait(const std::vector<Turn>& turns) {
  TurnOrder order;
  int longest = 0;
  std::vector<int> waits(turns.size(), 0);
  for (int unit = 0; unit < 500; ++unit) {
    const std::size_t made = make(order, turns);
    for (std::size_t i = 0; i < turns.size(); ++i) {
      waits[i] = i == made ? 0 : waits[i] + 1;
      longest = std::max(longest, waits[i]);
    }
    // The short ones never get done, as under a stream of new short pictures.
  }
  return longest;
}

TEST(TurnOrder, FewestCallsLeftComesFirst) {
  TurnOrder order;

  EXPECT_EQ(order.next({{{1}, 50}, {{2}, 4}, {{3}, 20}}), 1u);
}

TEST(TurnOrder, EqualPicturesKeepTheirOrderOfArrival) {
  TurnOrder order;

  EXPECT_EQ(make(order, {{{7}, 10}, {{8}, 10}}), 0u);
  EXPECT_EQ(make(order, {{{7}, 9}, {{8}, 10}}), 0u);
}

TEST(TurnOrder, NobodyIsPassedOverForMoreThanFourRounds) {
  for (int pictures = 2; pictures <= 8; ++pictures) {
    std::vector<Turn> turns = {{{1}, 1000}};
    for (int id = 2; id <= pictures; ++id) {
      turns.push_back({{static_cast<PictureId>(id)}, 4 * id});
    }

    EXPECT_LE(longest_wait(turns), TurnOrder::kMaxRounds * pictures) << pictures;
    EXPECT_GE(longest_wait(turns), (TurnOrder::kMaxRounds - 1) * pictures) << pictures;
  }
}

TEST(TurnOrder, PicturesThatShareAUnitHaveOneTurn) {
  EXPECT_LE(longest_wait({{{1, 2, 3, 4, 5, 6, 7}, 4}, {{8}, 50}}), TurnOrder::kMaxRounds * 2);
}

TEST(TurnOrder, WhoeverWasServedWithOthersDoesNotWait) {
  TurnOrder order;
  std::vector<Turn> shared = {{{1, 2}, 4}, {{3}, 50}};
  for (int unit = 0; unit < 5; ++unit) EXPECT_EQ(make(order, shared), 0u);

  // Apart, as where they share no call any more: the one that waits is still the third.
  EXPECT_EQ(make(order, {{{1}, 4}, {{2}, 8}, {{3}, 50}}), 0u);
  for (int unit = 0; unit < 3; ++unit) make(order, {{{1}, 4}, {{2}, 8}, {{3}, 50}});
  EXPECT_EQ(make(order, {{{1}, 4}, {{2}, 8}, {{3}, 50}}), 2u);
}

TEST(TurnOrder, AShortNewcomerEndsBeforeThoseWithMoreCallsLeft) {
  TurnOrder order;
  std::vector<Turn> turns = {{{1}, 50}, {{2}, 50}};
  for (int unit = 0; unit < 10; ++unit) --turns[make(order, turns)].calls_left;
  turns.push_back({{3}, 4});

  int units = 0;
  while (turns[2].calls_left > 0) {
    --turns[make(order, turns)].calls_left;
    ++units;
  }

  EXPECT_LE(units, 5 * 3);
  EXPECT_GT(turns[0].calls_left, 0);
  EXPECT_GT(turns[1].calls_left, 0);
}

TEST(TurnOrder, APictureThatEndedIsForgotten) {
  TurnOrder order;
  for (int unit = 0; unit < 5; ++unit) make(order, {{{1}, 1}, {{2}, 9}});

  order.forget(2);  // had been passed over five times

  EXPECT_EQ(make(order, {{{1}, 1}, {{2}, 9}}), 0u);
  EXPECT_EQ(make(order, {{{1}, 1}, {{2}, 9}}), 0u);
}

}  // namespace
}  // namespace ssd1b
