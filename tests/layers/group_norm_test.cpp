#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include <limits>

#include "inference/layers/group_norm_cpu.h"

namespace ssd1b {
namespace {

struct Case {
  std::int64_t pictures, channels, groups, height, width;
  double offset;  // of the mean from zero, in deviations
};

std::ostream& operator<<(std::ostream& stream, const Case& given) {
  return stream << given.pictures << " x " << given.channels << " in " << given.groups << ", "
                << given.height << " x " << given.width << ", offset " << given.offset;
}

class GroupNormTest : public testing::TestWithParam<Case> {
 protected:
  void SetUp() override {
    const Case& given = GetParam();
    input = at::randn({given.pictures, given.channels, given.height, given.width}) + given.offset;
    weight = at::randn({given.channels});
    bias = at::randn({given.channels});
    wanted = at::group_norm(input.to(at::kDouble), given.groups, weight.to(at::kDouble),
                            bias.to(at::kDouble), kEps);
  }

  double error_of(const at::Tensor& got) const {
    return (got.to(at::kDouble) - wanted).abs().max().item<double>();
  }

  static constexpr double kEps = 1e-6;
  at::Tensor input, weight, bias, wanted;
};

TEST_P(GroupNormTest, AgreesWithFloat64) {
  const at::Tensor channels_last = input.contiguous(at::MemoryFormat::ChannelsLast);
  ASSERT_TRUE(can_use_channels_last_group_norm(channels_last));

  const at::Tensor got = channels_last_group_norm(channels_last, weight, bias, GetParam().groups,
                                                  kEps, Activation::None);

  EXPECT_EQ(got.sizes(), wanted.sizes());
  EXPECT_LT(error_of(got), 4e-6 * (1.0 + std::abs(GetParam().offset)));
}

TEST_P(GroupNormTest, AgreesWithFloat64BeforeSilu) {
  const at::Tensor got =
      channels_last_group_norm(input.contiguous(at::MemoryFormat::ChannelsLast), weight, bias,
                               GetParam().groups, kEps, Activation::Silu);

  wanted = at::silu(wanted);
  EXPECT_LT(error_of(got), 4e-6 * (1.0 + std::abs(GetParam().offset)));
}

TEST_P(GroupNormTest, AgreesWithFloat64InBfloat16) {
  const at::Tensor rounded = input.to(at::kBFloat16).contiguous(at::MemoryFormat::ChannelsLast);
  wanted = at::group_norm(rounded.to(at::kDouble), GetParam().groups, weight.to(at::kDouble),
                          bias.to(at::kDouble), kEps);

  const at::Tensor got =
      channels_last_group_norm(rounded, weight, bias, GetParam().groups, kEps, Activation::None);

  EXPECT_EQ(got.scalar_type(), at::kBFloat16);
  EXPECT_LT(error_of(got), 0.005 * wanted.abs().max().item<double>());
}

INSTANTIATE_TEST_SUITE_P(Shapes, GroupNormTest,
                         testing::Values(Case{1, 32, 8, 8, 8, 0.0}, Case{2, 320, 32, 16, 12, 0.5},
                                         Case{3, 24, 12, 5, 7, -2.0}, Case{1, 20, 1, 1, 1, 0.0},
                                         Case{1, 8, 8, 130, 67, 100.0},
                                         Case{2, 100, 4, 33, 1, 3.0}));

TEST(GroupNorm, KeepsItsDigitsInALargePicture) {
  const at::Tensor input = at::rand({1, 4, 1024, 1024}) + 3.0;
  const at::Tensor ones = at::ones({4});
  const at::Tensor zeros = at::zeros({4});
  const at::Tensor wanted = at::group_norm(input.to(at::kDouble), 4);

  const at::Tensor got = channels_last_group_norm(input.contiguous(at::MemoryFormat::ChannelsLast),
                                                  ones, zeros, 4, 1e-5, Activation::None);

  EXPECT_LT((got.to(at::kDouble) - wanted).abs().max().item<double>(), 5e-6);
}

/// One group of which the norm is nearly the input itself.
at::Tensor silu_of(const at::Tensor& values) {
  const std::int64_t count = values.numel();
  const at::Tensor input = values.view({1, 1, count, 1}).contiguous(at::MemoryFormat::ChannelsLast);
  const at::Tensor weight = at::std(values, /*unbiased=*/false).view({1});
  return channels_last_group_norm(input, weight, at::mean(values).view({1}), 1, 1e-12,
                                  Activation::Silu)
      .view({count});
}

TEST(GroupNorm, SiluIsExactFromTheFarLeftToTheFarRight) {
  const at::Tensor values = at::linspace(-110, 110, 100'001);

  const at::Tensor got = silu_of(values).to(at::kDouble);

  const at::Tensor wanted = at::silu(values.to(at::kDouble));
  const at::Tensor error = (got - wanted).abs() / (wanted.abs() + 1e-3);
  EXPECT_LT(error.max().item<double>(), 5e-4);  // the norm itself moves values of 100 by 1e-5
  EXPECT_LT((got - wanted).abs().max().item<double>(), 5e-5);
}

TEST(GroupNorm, WhatIsNotFiniteStaysSo) {
  for (const auto activation : {Activation::None, Activation::Silu}) {
    for (const auto dtype : {at::kFloat, at::kBFloat16}) {
      at::Tensor input = at::randn({1, 32, 4, 4});
      input[0][3][1][2] = std::numeric_limits<float>::quiet_NaN();

      const at::Tensor got =
          channels_last_group_norm(input.to(dtype).contiguous(at::MemoryFormat::ChannelsLast),
                                   at::ones({32}), at::zeros({32}), 32, 1e-5, activation);

      EXPECT_TRUE(at::isnan(got[0][3][1][2]).item<bool>());
      EXPECT_TRUE(at::isfinite(got[0][4]).all().item<bool>());
    }
  }
}

TEST(GroupNorm, ThreadsShareTheWorkAndChangeNothing) {
  const at::Tensor input = at::randn({1, 64, 256, 256}).contiguous(at::MemoryFormat::ChannelsLast);
  const at::Tensor ones = at::ones({64}), zeros = at::zeros({64});
  const auto call = [&] {
    return channels_last_group_norm(input, ones, zeros, 32, 1e-5, Activation::Silu);
  };
  const int threads = at::get_num_threads();
  at::set_num_threads(1);
  const at::Tensor alone = call();
  at::set_num_threads(4);

  const at::Tensor together = call();
  at::set_num_threads(threads);

  EXPECT_TRUE(at::equal(alone, together));
}

TEST(GroupNorm, TakesOnlyChannelsLastTensorsOfTheCpu) {
  EXPECT_FALSE(can_use_channels_last_group_norm(at::zeros({1, 4, 3, 3})));
  EXPECT_FALSE(can_use_channels_last_group_norm(at::zeros({1, 4, 3})));
  EXPECT_FALSE(can_use_channels_last_group_norm(
      at::zeros({1, 4, 3, 3}, at::kHalf).contiguous(at::MemoryFormat::ChannelsLast)));
}

}  // namespace
}  // namespace ssd1b
