#include "inference/layers/arrange_weights.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <array>
#include <set>

#include "inference/layers/attention.h"
#include "inference/layers/conv2d.h"
#include "inference/layers/onednn.h"
#include "inference/layers/resample.h"
#include "layers/noise.h"

namespace ssd1b {
namespace {

/// As filling does: each stack and each parameter of its own.
class ArrangeAll : public ParameterVisitor {
 public:
  void visit(const std::string&, Parameter& parameter) override {
    if (parts_.count(&parameter) == 0) arranger_.arrange(parameter, /*is_packed=*/false);
  }

  void stack(Parameter& whole, std::initializer_list<Parameter*> parts) override {
    arranger_.arrange(whole, /*is_packed=*/false);
    parts_.insert(parts);
  }

 private:
  WeightArranger arranger_;
  std::set<Parameter*> parts_;
};

template <typename Module>
void arrange_weights(Module& module) {
  ArrangeAll visitor;
  visit_parameters(module, Scope(visitor, ""));
}

/// Runs `call` before and after the module's weights are arranged.
template <typename Module, typename Call>
void expect_arranging_changes_nothing(Module& module, const Call& call) {
  const at::Tensor before = call();
  arrange_weights(module);

  EXPECT_LT(difference(call(), before), 2e-5);
}

class ArrangeWeights : public testing::Test {
 protected:
  void SetUp() override {
    if (!has_onednn(at::kFloat)) GTEST_SKIP() << "this libtorch has no oneDNN";
  }
};

TEST_F(ArrangeWeights, OfLinearLayersWithAndWithoutBias) {
  for (const Bias bias : {Bias::No, Bias::Yes}) {
    Linear linear(96, 288, bias);
    fill(linear);
    const at::Tensor input = at::randn({2, 77, 96});

    expect_arranging_changes_nothing(linear, [&] { return linear(input); });

    EXPECT_FALSE(linear.weight.value.defined());
  }
}

TEST_F(ArrangeWeights, OfStacksAndTheirParts) {
  AttentionConfig config;
  config.width = 12;
  config.heads = 3;
  config.inner_width = 24;
  SelfAttention attention(config);
  fill(attention);
  const at::Tensor hidden = at::randn({2, 5, 12});

  expect_arranging_changes_nothing(attention, [&] { return attention(hidden); });

  EXPECT_FALSE(attention.to_qkv.all.weight.value.defined());
}

TEST_F(ArrangeWeights, OfConvolutionsWhateverTheSizeOfThePicture) {
  // 96 channels are laid out otherwise for small pictures, 64 are not.
  for (const Conv2dConfig& config :
       {same_size_conv(96, 96), same_size_conv(20, 64), same_size_conv(8, 12, /*kernel=*/1),
        same_size_conv(4, 7, /*kernel=*/5), Conv2dConfig{8, 8, 3, /*stride=*/2, 1}}) {
    for (const std::int64_t height : {3, 8, 40}) {
      Conv2d conv(config);
      fill(conv);
      const at::Tensor input = at::randn({2, config.in_channels, height, height + 1})
                                   .contiguous(at::MemoryFormat::ChannelsLast);
      const at::Tensor before = conv(input);

      arrange_weights(conv);

      EXPECT_LT(difference(conv(input), before), 2e-5);
      EXPECT_TRUE(conv(input).is_contiguous(at::MemoryFormat::ChannelsLast));
    }
  }
}

TEST_F(ArrangeWeights, OfUpsamplingToEverySize) {
  for (const std::int64_t channels : {6, 64}) {
    for (const std::int64_t height : {9, 10}) {
      Upsample upsample(channels);
      fill(upsample);
      const at::Tensor hidden =
          at::randn({2, channels, 5, 4}).contiguous(at::MemoryFormat::ChannelsLast);

      expect_arranging_changes_nothing(upsample, [&] { return upsample(hidden, height, 8); });

      EXPECT_EQ(upsample.conv.weight.arranged.size(), 5u);
    }
  }
}

TEST_F(ArrangeWeights, AreCountedWithTheParts) {
  Upsample upsample(64);  // whole blocks of oneDNN
  fill(upsample);
  Parameter& weight = upsample.conv.weight;
  const std::int64_t counted = arranged_elements(weight, c10::Device(c10::kCPU), at::kFloat);

  arrange_weights(upsample);

  std::int64_t bytes = 0;
  for (const at::Tensor& form : weight.arranged) bytes += static_cast<std::int64_t>(form.nbytes());
  EXPECT_EQ(bytes, counted * static_cast<std::int64_t>(sizeof(float)));
  EXPECT_EQ(arranged_elements(upsample.conv.bias, c10::Device(c10::kCPU), at::kFloat), 64);
}

TEST(UpsamplingKernels, AreSumsOfTapsRoundedOnce) {
  const at::Tensor weight = at::arange(3 * 5 * 9).view({3, 5, 3, 3}).to(at::kBFloat16);
  const at::Tensor exact = weight.to(at::kFloat);
  // First and last tap, by tap of the part: of even rows (and columns), of odd ones.
  constexpr std::int64_t kTaps[2][2][2] = {{{0, 0}, {1, 2}}, {{0, 1}, {2, 2}}};

  const std::array<at::Tensor, 4> kernels = upsampling_kernels(weight);

  for (std::int64_t i = 0; i < 16; ++i) {  // part, row and column within it
    const auto& rows = kTaps[i / 8][i / 2 % 2];
    const auto& columns = kTaps[i / 4 % 2][i % 2];
    const at::Tensor want = exact.slice(2, rows[0], rows[1] + 1)
                                .slice(3, columns[0], columns[1] + 1)
                                .sum({2, 3})
                                .to(at::kBFloat16);
    const at::Tensor& kernel = kernels[static_cast<std::size_t>(i / 4)];
    EXPECT_TRUE(at::equal(kernel.select(2, i / 2 % 2).select(2, i % 2), want)) << i;
    EXPECT_TRUE(kernel.is_contiguous(at::MemoryFormat::ChannelsLast));
  }
}

/// As a GPU has it: one product for all parts.
TEST(UpsamplingAtOnce, EachPartIsOfAQuarterOfThePixels) {
  Upsample upsample(6);
  fill(upsample);
  const at::Tensor hidden = at::randn({2, 6, 5, 4});
  const at::Tensor wanted = upsample(hidden, 10, 8);
  const at::Tensor& weight = upsample.conv.weight.value;

  const at::Tensor parts = at::conv2d(hidden, at::cat(upsampling_kernels(weight)), {}, 1, 1);

  const at::Tensor placed = at::zeros_like(wanted);
  for (int i = 0; i < 4; ++i) place_upsampled(parts.chunk(4, 1)[i], i, placed);
  EXPECT_LT(difference(placed + upsample.conv.bias.value.view({6, 1, 1}), wanted), 1e-5);
}

TEST_F(ArrangeWeights, CanBeRepeatedWithNewValues) {
  Linear linear(8, 8);
  const at::Tensor input = at::randn({3, 8});
  for (int i = 0; i < 2; ++i) {
    linear.weight.value = at::randn({8, 8});
    linear.weight.arranged.clear();
    linear.bias->value = at::randn({8});

    expect_arranging_changes_nothing(linear, [&] { return linear(input); });
  }
}

TEST_F(ArrangeWeights, LeavesOtherDtypesAlone) {
  Linear linear(8, 8);
  fill(linear);
  linear.weight.value = linear.weight.value.to(at::kHalf);

  arrange_weights(linear);

  EXPECT_TRUE(linear.weight.value.defined());
  EXPECT_TRUE(linear.weight.arranged.empty());
}

}  // namespace
}  // namespace ssd1b
