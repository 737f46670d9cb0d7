#include "service/admission/fair_queue.h"

#include <gmock/gmock.h>

#include <random>

namespace ssd1b {
namespace {

using ::testing::ElementsAre;

FairQueue::Item item(PictureId id, int calls = 10) {
  Work work;
  work.unet_calls = calls;
  work.rows = 2;
  work.latent_pixels = 64;
  return {id, work};
}

/// Takes everything out in the order of turns.
std::vector<PictureId> drain(FairQueue& queue, const std::map<PictureId, std::string>& owners) {
  std::vector<PictureId> order;
  while (!queue.empty()) {
    const PictureId id = queue.in_order(1).at(0);
    EXPECT_TRUE(queue.take(owners.at(id), id));
    order.push_back(id);
  }
  return order;
}

TEST(FairQueue, IsFirstComeFirstServedWithinOneClient) {
  FairQueue queue;
  for (PictureId id = 1; id <= 4; ++id) queue.push("a", item(id, id == 1 ? 100 : 1));

  EXPECT_THAT(queue.in_order(10), ElementsAre(1, 2, 3, 4));
  EXPECT_THAT(drain(queue, {{1, "a"}, {2, "a"}, {3, "a"}, {4, "a"}}), ElementsAre(1, 2, 3, 4));
}

TEST(FairQueue, ClientsTakeTurns) {
  FairQueue queue;
  for (PictureId id = 1; id <= 4; ++id) queue.push("floods", item(id));
  queue.push("light", item(5));
  queue.push("light", item(6));

  const std::map<PictureId, std::string> owners = {{1, "floods"}, {2, "floods"}, {3, "floods"},
                                                   {4, "floods"}, {5, "light"},  {6, "light"}};
  EXPECT_THAT(queue.in_order(10), ElementsAre(1, 5, 2, 6, 3, 4));
  EXPECT_THAT(drain(queue, owners), ElementsAre(1, 5, 2, 6, 3, 4));
}

TEST(FairQueue, TurnsAreWeightedByWork) {
  FairQueue queue;
  queue.push("heavy", item(1, 50));
  queue.push("heavy", item(2, 50));
  for (PictureId id = 3; id <= 12; ++id) queue.push("light", item(id, 10));

  // Five light pictures are worth one heavy one.
  EXPECT_THAT(queue.in_order(20), ElementsAre(1, 3, 4, 5, 6, 7, 2, 8, 9, 10, 11, 12));
}

TEST(FairQueue, OrderForeseenIsOrderTaken) {
  std::mt19937 random(7);
  for (int round = 0; round < 50; ++round) {
    FairQueue queue;
    std::map<PictureId, std::string> owners;
    for (PictureId id = 1; id <= 40; ++id) {
      owners[id] = std::string(1, static_cast<char>('a' + random() % 5));
      queue.push(owners[id], item(id, 1 + static_cast<int>(random() % 50)));
    }

    const std::vector<PictureId> foreseen = queue.in_order(100);

    EXPECT_EQ(drain(queue, owners), foreseen);
  }
}

TEST(FairQueue, SharesOfEqualClientsAreEqual) {
  FairQueue queue;
  std::map<PictureId, std::string> owners;
  PictureId id = 1;
  for (int client = 0; client < 8; ++client) {
    const int pictures = client == 0 ? 400 : 50;  // one floods
    for (int i = 0; i < pictures; ++i, ++id) {
      owners[id] = "client " + std::to_string(client);
      queue.push(owners[id], item(id));
    }
  }
  std::map<std::string, double> served;
  for (int turn = 0; turn < 200; ++turn) {
    const PictureId next = queue.in_order(1).at(0);
    served[owners[next]] += 1;
    queue.take(owners[next], next);
  }

  double sum = 0.0, sum_of_squares = 0.0;
  for (const auto& [client, count] : served) {
    sum += count;
    sum_of_squares += count * count;
  }
  EXPECT_GE(sum * sum / (8 * sum_of_squares), 0.98);  // Jain's index
}

TEST(FairQueue, NobodySavesUpTurnsInAPause) {
  FairQueue queue;
  PictureId id = 1;
  for (int i = 0; i < 20; ++i, ++id) queue.push("a", item(id));
  for (PictureId taken = 1; taken <= 10; ++taken) queue.take("a", taken);

  for (int i = 0; i < 5; ++i, ++id) queue.push("b", item(id));

  EXPECT_THAT(queue.in_order(5), ElementsAre(21, 11, 22, 12, 23));
}

TEST(FairQueue, ARetryComesFirstAndIsNotChargedTwice) {
  FairQueue queue;
  for (PictureId id = 1; id <= 3; ++id) queue.push("a", item(id));
  queue.take("a", 1);
  queue.take("a", 2);

  queue.push_retry(item(2));
  queue.push_retry(item(1));

  EXPECT_THAT(queue.in_order(10), ElementsAre(1, 2, 3));
  queue.push("b", item(4));
  queue.push("a", item(5));
  queue.take("a", 1);
  queue.take("a", 2);
  EXPECT_THAT(queue.in_order(10), ElementsAre(4, 3, 5));
}

TEST(FairQueue, WhatIsRemovedCostsItsClientNothing) {
  FairQueue queue;
  for (PictureId id = 1; id <= 3; ++id) queue.push("a", item(id));
  queue.push("b", item(4));
  EXPECT_TRUE(queue.remove("a", 1));
  EXPECT_TRUE(queue.remove("a", 2));
  EXPECT_FALSE(queue.remove("a", 2));
  EXPECT_FALSE(queue.remove("nobody", 3));
  EXPECT_FALSE(queue.take("b", 3));

  EXPECT_THAT(queue.in_order(10), ElementsAre(3, 4));
  EXPECT_EQ(queue.size(), 2u);
}

TEST(FairQueue, CountsWhatIsAheadOfANewPicture) {
  FairQueue queue;
  for (PictureId id = 1; id <= 5; ++id) queue.push("floods", item(id));
  queue.push("light", item(6));
  queue.push_retry(item(7));
  const auto ahead_of = [&](const std::string& client) {
    std::vector<PictureId> ids;
    queue.visit_ahead_of(client, [&](const FairQueue::Item& each) { ids.push_back(each.id); });
    return ids.size();
  };

  EXPECT_EQ(ahead_of("floods"), 7u);
  EXPECT_EQ(ahead_of("light"), 4u);  // the retry, its own, and two of the flood
  EXPECT_EQ(ahead_of("new"), 3u);    // the retry and one of each
}

}  // namespace
}  // namespace ssd1b
