#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <sstream>

#include "inference/layers/activation.h"
#include "inference/layers/attention.h"
#include "inference/layers/norms.h"
#include "inference/layers/resample.h"
#include "inference/layers/resnet_block.h"
#include "inference/layers/unbiased.h"
#include "layers/noise.h"

namespace ssd1b {
namespace {

AttentionConfig attention_config() {
  AttentionConfig config;
  config.width = 12;
  config.heads = 3;
  config.inner_width = 24;
  config.context_width = 20;
  return config;
}

TEST(Attention, MultipliesQueriesKeysAndValuesAtOnce) {
  SelfAttention attention(attention_config());
  fill(attention);
  const at::Tensor hidden = at::randn({2, 5, 12});
  const QkvProjection& projection = attention.to_qkv;

  const auto [query, key, value] = projection(hidden);

  EXPECT_LT(difference(query, projection.query(hidden)), 1e-6);
  EXPECT_LT(difference(key, projection.key(hidden)), 1e-6);
  EXPECT_LT(difference(value, projection.value(hidden)), 1e-6);
}

TEST(Attention, ScalesByTheWidthOfAHead) {
  const at::Tensor query = at::randn({1, 4, 8}), key = at::randn({1, 6, 8}),
                   value = at::randn({1, 6, 8});
  const auto head = [](const at::Tensor& tensor, int index) {
    return tensor.narrow(2, 4 * index, 4);
  };
  std::vector<at::Tensor> heads;
  for (int i = 0; i < 2; ++i) {
    const at::Tensor scores = at::matmul(head(query, i), head(key, i).transpose(1, 2)) / 2.0;
    heads.push_back(at::matmul(scores.softmax(-1), head(value, i)));
  }

  EXPECT_LT(difference(attend(query, key, value, 2), at::cat(heads, 2)), 1e-5);
}

TEST(Attention, CausalTokensDoNotSeeWhatFollows) {
  const at::Tensor query = at::randn({1, 4, 8}), key = at::randn({1, 4, 8}),
                   value = at::randn({1, 4, 8});
  at::Tensor other = value.clone();
  other.select(1, 3).add_(1.0);

  const at::Tensor first = attend(query, key, value, 2, Mask::Causal);
  const at::Tensor second = attend(query, key, other, 2, Mask::Causal);

  EXPECT_EQ(difference(first.narrow(1, 0, 3), second.narrow(1, 0, 3)), 0.0);
  EXPECT_GT(difference(first, second), 0.01);
}

TEST(Attention, PreparedPromptsGiveWhatTheEmbeddingsGive) {
  CrossAttention attention(attention_config());
  fill(attention);
  const at::Tensor hidden = at::randn({2, 5, 12}), embeddings = at::randn({2, 7, 20});
  const at::Tensor wanted = attention.to_out(
      attend(attention.to_q(hidden), attention.to_k(embeddings), attention.to_v(embeddings), 3));

  EXPECT_LT(difference(attention(hidden, attention.prepare(embeddings)), wanted), 1e-6);
}

TEST(Upsample, TakesTheSizeOfTheSkip) {
  Upsample upsample(6);
  fill(upsample);
  const at::Tensor hidden = at::randn({2, 6, 5, 4});

  for (const std::int64_t height : {9, 10}) {
    for (const std::int64_t width : {7, 8}) {
      const at::Tensor doubled = hidden.repeat_interleave(2, 2)
                                     .repeat_interleave(2, 3)
                                     .narrow(2, 0, height)
                                     .narrow(3, 0, width);
      EXPECT_LT(difference(upsample(hidden, height, width), upsample.conv(doubled)), 1e-5)
          << height << " x " << width;
    }
  }
}

TEST(Downsample, PadsBelowAndRightWherePaddingIsZero) {
  Downsample downsample(4, /*padding=*/0);
  fill(downsample);
  const at::Tensor hidden = at::randn({1, 4, 6, 8});
  const at::Tensor padded = at::constant_pad_nd(hidden, {0, 1, 0, 1});

  const at::Tensor got = downsample(hidden);

  EXPECT_EQ(got.sizes(), (std::vector<std::int64_t>{1, 4, 3, 4}));
  EXPECT_LT(difference(got, at::conv2d(padded, downsample.conv.weight.value,
                                       downsample.conv.bias.value, 2)),
            1e-5);
}

TEST(Unbiased, IsSettledInItsPlace) {
  const at::Tensor picture = at::randn({2, 8, 3, 5}), bias = at::randn({8});
  const at::Tensor wanted = picture + bias.view({8, 1, 1});

  EXPECT_EQ(difference(settle({picture.clone(), bias}), wanted), 0.0);
  EXPECT_TRUE(settle({picture, {}}).is_same(picture));
}

TEST(Unbiased, ASumHasBothBiasesAndLeavesASecondWithoutOneAsItIs) {
  const at::Tensor first = at::randn({2, 8, 3, 5}), second = at::randn({2, 8, 3, 5});
  const at::Tensor second_before = second.clone();
  const at::Tensor bias = at::randn({8}), other = at::randn({8});
  const at::Tensor pixels = bias.view({8, 1, 1}), others = other.view({8, 1, 1});

  EXPECT_LT(difference(add({first.clone(), bias}, {second, {}}), first + pixels + second), 1e-6);
  EXPECT_EQ(difference(second, second_before), 0.0);
  EXPECT_LT(difference(add({first.clone(), bias}, {second, other}),
                       first + pixels + second_before + others),
            1e-6);
}

TEST(GroupNorm, AddsBiasAndTimeToItsPictureFirst) {
  GroupNorm norm(2, 8, 1e-5);
  fill(norm);
  const at::Tensor picture = at::randn({2, 8, 3, 5}), bias = at::randn({8}),
                   time = at::randn({2, 8});
  const at::Tensor with_bias = picture + bias.view({8, 1, 1});
  const at::Tensor with_both = with_bias + time.view({2, 8, 1, 1});

  for (const Activation activation : {Activation::None, Activation::Silu, Activation::Mish}) {
    EXPECT_LT(difference(norm.with(activation, Unbiased{picture.clone(), bias}),
                         norm.with(activation, with_bias)),
              1e-6);
    EXPECT_LT(difference(norm.with(activation, Unbiased{picture.clone(), bias}, time),
                         norm.with(activation, with_both)),
              1e-6);
  }
}

TEST(LayerNorm, AddsToItsStreamFirst) {
  LayerNorm norm(12, 1e-5);
  fill(norm);
  const at::Tensor stream = at::randn({3, 5, 12}), tokens = at::randn({2, 5, 12});
  const at::Tensor rest = at::randn({12});
  const at::Tensor sum = stream + at::cat({rest.expand({1, 5, 12}), tokens});

  const at::Tensor part = stream.clone();
  EXPECT_EQ(difference(norm.after_adding(part, {tokens, rest}), norm(sum)), 0.0);
  EXPECT_EQ(difference(part, sum), 0.0);

  const at::Tensor whole = stream.clone();  // all rows are added to, the last two are normed
  EXPECT_EQ(difference(norm.after_adding(whole, {sum, {}}, /*first=*/1),
                       norm(stream + sum).narrow(0, 1, 2)),
            0.0);
  EXPECT_EQ(difference(whole, stream + sum), 0.0);

  EXPECT_EQ(difference(norm.after_adding(whole, {}), norm(whole)), 0.0);
}

TEST(ResnetBlock, HasAShortcutOnlyWhereTheChannelsDiffer) {
  ResnetBlockConfig config;
  config.in_channels = 8;
  config.out_channels = 8;
  config.norm_groups = 4;
  EXPECT_FALSE(ResnetBlock(config).conv_shortcut);

  config.out_channels = 12;
  EXPECT_TRUE(ResnetBlock(config).conv_shortcut);
}

TEST(ResnetBlock, ScalesAndShiftsByTimeBehindTheSecondNorm) {
  ResnetBlockConfig config;
  config.in_channels = config.out_channels = 8;
  config.time_width = 6;
  config.norm_groups = 2;
  config.activation = Activation::Mish;
  config.scales_by_time = true;
  ResnetBlock block(config);
  fill(block);
  const at::Tensor hidden = at::randn({2, 8, 5, 4}), time = at::randn({2, 16});

  const at::Tensor out = block(hidden, time);

  EXPECT_EQ(block.time_emb_proj->weight.shape, (std::vector<std::int64_t>{16, 6}));
  const at::Tensor both = time.view({2, 2, 8, 1, 1});
  const at::Tensor first = block.conv1(at::mish(block.norm1(hidden)));
  const at::Tensor second = block.norm2(first) * (1.0 + both.select(1, 0)) + both.select(1, 1);
  EXPECT_LT(difference(out, hidden + block.conv2(at::mish(second))), 1e-5);
}

TEST(Activations, OfEveryNameAreFiniteAndKeepTheShape) {
  EXPECT_FALSE(activation_named("prelu"));  // has a weight
  const at::Tensor input = at::linspace(-20.0, 20.0, 41);
  std::istringstream names(activation_names());
  for (std::string name; std::getline(names >> std::ws, name, ',');) {
    ASSERT_TRUE(activation_named(name)) << name;
    const at::Tensor out = activate(input, *activation_named(name));
    EXPECT_EQ(out.sizes(), input.sizes()) << name;
    EXPECT_TRUE(at::isfinite(out).all().item<bool>()) << name;
  }
}

TEST(ResnetBlock, DoesNotChangeItsInput) {
  ResnetBlockConfig config;
  config.in_channels = 8;
  config.out_channels = 8;
  config.norm_groups = 4;
  config.time_width = 16;
  config.output_scale = 2.0;
  ResnetBlock block(config);
  fill(block);
  const at::Tensor hidden = at::randn({2, 8, 5, 5}), time = at::randn({2, 8});
  const at::Tensor hidden_before = hidden.clone(), time_before = time.clone();

  const at::Tensor out = block(hidden, time);

  EXPECT_EQ(difference(hidden, hidden_before), 0.0);
  EXPECT_EQ(difference(time, time_before), 0.0);
  EXPECT_EQ(out.sizes(), hidden.sizes());
}

}  // namespace
}  // namespace ssd1b
