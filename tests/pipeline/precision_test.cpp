#include "inference/pipeline/precision.h"

#include <gtest/gtest.h>

#include "ssd1b/error.h"

namespace ssd1b {
namespace {

const std::optional<int> kCpu, kTuring = 7, kGpu = 9;

TEST(ChoosePrecision, AutoIsAFixedRule) {
  EXPECT_EQ(choose_precision("auto", "auto", kCpu, true).networks, at::kFloat);
  EXPECT_EQ(choose_precision("auto", "auto", kCpu, true).vae, at::kFloat);
  EXPECT_EQ(choose_precision("auto", "auto", kGpu, true).networks, at::kHalf);
  EXPECT_EQ(choose_precision("auto", "auto", kGpu, true).vae, at::kBFloat16);
  EXPECT_EQ(choose_precision("auto", "auto", kGpu, false).vae, at::kHalf);
  EXPECT_EQ(choose_precision("auto", "auto", kTuring, true).networks, at::kHalf);
  EXPECT_EQ(choose_precision("auto", "auto", kTuring, true).vae, at::kFloat);
  EXPECT_EQ(choose_precision("auto", "auto", kTuring, false).vae, at::kHalf);
}

TEST(ChoosePrecision, TheVaeFollowsTheModelUnlessItOverflows) {
  EXPECT_EQ(choose_precision("bfloat16", "auto", kCpu, false).vae, at::kBFloat16);
  EXPECT_EQ(choose_precision("bfloat16", "auto", kCpu, true).vae, at::kFloat);
  EXPECT_EQ(choose_precision("float32", "auto", kGpu, true).vae, at::kFloat);
  EXPECT_EQ(choose_precision("float16", "float16", kGpu, true).vae, at::kHalf);
}

TEST(ChoosePrecision, RefusesAnotherName) {
  EXPECT_THROW(choose_precision("fp16", "auto", kCpu, true), Error);
  EXPECT_THROW(choose_precision("auto", "half", kCpu, true), Error);
}

}  // namespace
}  // namespace ssd1b
