#include "inference/weights/single_file/ldm_keys.h"

#include <gtest/gtest.h>

namespace ssd1b {
namespace {

using Counts = std::vector<std::int64_t>;

TEST(HeadsOf, AreTheFamilysWhereTheyDivideTheWidths) {
  EXPECT_EQ(heads_of({320, 640, 1280}, {5, 10, 20}), (Counts{5, 10, 20}));
  EXPECT_EQ(heads_of({160, 320, 640}, {5, 10, 20}), (Counts{5, 10, 20}));
  EXPECT_EQ(heads_of({40, 80, 160}, {5, 10, 20}), (Counts{5, 10, 20}));
  EXPECT_EQ(heads_of({192}, {12}), (Counts{12}));
}

TEST(HeadsOf, AreElse64WideOrAsWideAsFits) {
  EXPECT_EQ(heads_of({64, 128, 256}, {5, 10, 20}), (Counts{1, 2, 4}));
  EXPECT_EQ(heads_of({32, 64, 96}, {5, 10, 20}), (Counts{1, 2, 3}));
  EXPECT_EQ(heads_of({640, 1280}, {5, 10, 20}), (Counts{10, 20}));
}

}  // namespace
}  // namespace ssd1b
