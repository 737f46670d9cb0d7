#include "apps/progress_bar.h"

#include <gtest/gtest.h>

namespace ssd1b {
namespace {

TEST(ProgressBar, SaysHowFarAPictureIs) {
  EXPECT_EQ(progress_line("apple", {0, 16}, 0.0), "apple [..............................] 0/16");
  EXPECT_EQ(progress_line("apple", {8, 16}, 0.4),
            "apple [###############...............] 8/16, 0.4 s left");
  EXPECT_EQ(progress_line("apple", {16, 16}, 0.8),
            "apple [##############################] 16/16, 0.0 s left");
}

}  // namespace
}  // namespace ssd1b
