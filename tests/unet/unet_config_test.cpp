#include "inference/unet/unet_config.h"

#include <gmock/gmock.h>

#include "inference/unet/family.h"
#include "ssd1b/error.h"
#include "unet/ssd1b_config.h"

namespace ssd1b {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using Changes = std::vector<std::pair<std::string, std::string>>;

UNetConfig config_of(const Changes& changes) {
  return UNetConfig::from(ssd1b_unet_document(changes));
}

TEST(UNetConfig, ReadsSsd1b) {
  const UNetConfig config = config_of({});

  ASSERT_EQ(config.down_blocks.size(), 3u);
  EXPECT_FALSE(config.down_blocks[0].has_transformers);
  EXPECT_EQ(config.down_blocks[0].depths.size(), 2u);
  EXPECT_THAT(config.down_blocks[2].depths, ElementsAre(4, 4));
  ASSERT_TRUE(config.mid_block);
  EXPECT_FALSE(config.mid_block->has_transformers);
  ASSERT_EQ(config.up_blocks.size(), 3u);
  EXPECT_THAT(config.up_blocks[0].depths, ElementsAre(4, 4, 10));
  EXPECT_EQ(config.up_blocks[0].channels, 1280);
  EXPECT_EQ(config.up_blocks[0].heads, 20);
  EXPECT_THAT(config.up_blocks[1].depths, ElementsAre(2, 1, 1));
  EXPECT_EQ(config.time_width, 1280);
  EXPECT_EQ(config.pooled_width, 1280);
  EXPECT_EQ(config.guidance_width, 0);
}

TEST(UNetConfig, ReadsASampleSizeOfOneOrTwoSides) {
  const UNetConfig square = config_of({{"sample_size", "64"}});
  EXPECT_EQ(square.sample_height, 64);
  EXPECT_EQ(square.sample_width, 64);

  const UNetConfig tall = config_of({{"sample_size", "[96, 64]"}});  // height first
  EXPECT_EQ(tall.sample_height, 96);
  EXPECT_EQ(tall.sample_width, 64);
  EXPECT_EQ(tall.sample_side(), 96);
}

TEST(UNetConfig, ReadsDepthsAsNumbersListsAndListsOfLists) {
  const UNetConfig one = config_of(
      {{"transformer_layers_per_block", "3"}, {"reverse_transformer_layers_per_block", "null"}});
  EXPECT_THAT(one.down_blocks[1].depths, ElementsAre(3, 3));
  EXPECT_THAT(one.up_blocks[0].depths, ElementsAre(3, 3, 3));

  const UNetConfig list = config_of({{"transformer_layers_per_block", "[1, 2, 10]"},
                                     {"reverse_transformer_layers_per_block", "null"},
                                     {"mid_block_type", "\"UNetMidBlock2DCrossAttn\""}});
  EXPECT_THAT(list.down_blocks[2].depths, ElementsAre(10, 10));
  EXPECT_THAT(list.mid_block->depths, ElementsAre(10));
  EXPECT_THAT(list.up_blocks[0].depths, ElementsAre(10, 10, 10));
  EXPECT_THAT(list.up_blocks[1].depths, ElementsAre(2, 2, 2));

  const UNetConfig plain = config_of({{"transformer_layers_per_block", "[1, [2, 2], [4, 4]]"}});
  EXPECT_THAT(plain.down_blocks[1].depths, ElementsAre(2, 2));
}

TEST(UNetConfig, ReadsLayersAndHeadsLevelByLevel) {
  const UNetConfig config = config_of({{"layers_per_block", "[1, 2, 3]"},
                                       {"attention_head_dim", "8"},
                                       {"transformer_layers_per_block", "1"},
                                       {"reverse_transformer_layers_per_block", "null"}});

  EXPECT_EQ(config.down_blocks[2].depths.size(), 3u);
  EXPECT_EQ(config.up_blocks[0].depths.size(), 4u);
  EXPECT_EQ(config.up_blocks[2].depths.size(), 2u);
  EXPECT_EQ(config.up_blocks[1].heads, 8);
}

TEST(UNetConfig, NullMidBlockIsNone) {
  EXPECT_FALSE(config_of({{"mid_block_type", "null"}}).mid_block);
}

TEST(UNetConfig, ReadsActivationsAndWhatTimeDoesToResnets) {
  const UNetConfig standard = config_of({});
  EXPECT_EQ(standard.activation, Activation::Silu);
  EXPECT_EQ(standard.time_activation, Activation::None);
  EXPECT_EQ(standard.added_time_activation, Activation::None);
  EXPECT_FALSE(standard.scales_by_time);

  const UNetConfig other = config_of({{"act_fn", "\"GELU\""},
                                      {"timestep_post_act", "\"mish\""},
                                      {"time_embedding_act_fn", "\"relu\""},
                                      {"resnet_time_scale_shift", "\"scale_shift\""}});
  EXPECT_EQ(other.activation, Activation::Gelu);
  EXPECT_EQ(other.time_activation, Activation::Mish);
  EXPECT_EQ(other.added_time_activation, Activation::Relu);
  EXPECT_TRUE(other.scales_by_time);
}

struct Refusal {
  const char* key;
  const char* value;
};

class UNetConfigRefuses : public testing::TestWithParam<Refusal> {};

TEST_P(UNetConfigRefuses, NamesFileAndKey) {
  try {
    config_of({{GetParam().key, GetParam().value}});
    FAIL() << "was accepted";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::BadModel);
    EXPECT_THAT(error.what(), AllOf(HasSubstr("unet/config.json"), HasSubstr(GetParam().key)));
  }
}

INSTANTIATE_TEST_SUITE_P(
    What, UNetConfigRefuses,
    testing::Values(
        Refusal{"_class_name", "\"FluxTransformer2DModel\""}, Refusal{"act_fn", "\"tanh\""},
        Refusal{"addition_embed_type", "null"}, Refusal{"addition_embed_type", "\"text\""},
        Refusal{"addition_time_embed_dim", "null"}, Refusal{"attention_head_dim", "[5, 10]"},
        Refusal{"attention_head_dim", "0"}, Refusal{"attention_type", "\"gated\""},
        Refusal{"block_out_channels", "[]"}, Refusal{"block_out_channels", "[320, 640, 1290]"},
        Refusal{"block_out_channels", "[320, 640, 1e9]"},
        Refusal{"class_embed_type", "\"timestep\""}, Refusal{"class_embeddings_concat", "true"},
        Refusal{"conv_in_kernel", "2"}, Refusal{"cross_attention_dim", "[2048, 2048, 1024]"},
        Refusal{"down_block_types", "[\"DownBlock2D\", \"AttnDownBlock2D\", \"DownBlock2D\"]"},
        Refusal{"down_block_types", "[\"DownBlock2D\"]"}, Refusal{"downsample_padding", "2"},
        Refusal{"dual_cross_attention", "true"}, Refusal{"encoder_hid_dim", "768"},
        Refusal{"encoder_hid_dim_type", "\"text_proj\""}, Refusal{"layers_per_block", "0"},
        Refusal{"layers_per_block", "1000000000"}, Refusal{"freq_shift", "160"},
        Refusal{"freq_shift", "128"}, Refusal{"mid_block_scale_factor", "0"},
        Refusal{"mid_block_type", "\"UNetMidBlock2DSimpleCrossAttn\""},
        Refusal{"norm_eps", "-1e-5"}, Refusal{"norm_num_groups", "null"},
        Refusal{"norm_num_groups", "48"}, Refusal{"num_attention_heads", "8"},
        Refusal{"num_class_embeds", "10"}, Refusal{"only_cross_attention", "true"},
        Refusal{"only_cross_attention", "[false, true]"}, Refusal{"sample_size", "[64, 0]"},
        Refusal{"projection_class_embeddings_input_dim", "1536"},
        Refusal{"resnet_time_scale_shift", "\"spatial\""},
        Refusal{"reverse_transformer_layers_per_block", "null"},
        Refusal{"reverse_transformer_layers_per_block", "[[4, 4], [2, 1, 1], 1]"},
        Refusal{"time_embedding_act_fn", "\"tanh\""}, Refusal{"time_embedding_type", "\"fourier\""},
        Refusal{"timestep_post_act", "3"}, Refusal{"transformer_layers_per_block", "[[1], [2, 2]]"},
        Refusal{"transformer_layers_per_block", "[[1], [2, [2]], [4, 4]]"},
        Refusal{"transformer_layers_per_block", "[[1], [2, 2], [4, -1]]"},
        Refusal{"up_block_types", "[\"UpBlock2D\", \"UpBlock2D\", \"AttnUpBlock2D\"]"},
        Refusal{"use_linear_projection", "\"yes\""}));

TEST(Family, IsReadOffTheDepths) {
  EXPECT_EQ(family_of(config_of({})), "ssd-1b");
  EXPECT_EQ(
      family_of(config_of({{"transformer_layers_per_block", "[[1], [1, 1], [2, 2]]"},
                           {"reverse_transformer_layers_per_block", "[[2, 2, 2], [1, 1, 1], 1]"}})),
      "vega");
  EXPECT_EQ(family_of(config_of({{"transformer_layers_per_block", "[1, 2, 10]"},
                                 {"reverse_transformer_layers_per_block", "null"},
                                 {"mid_block_type", "\"UNetMidBlock2DCrossAttn\""}})),
            "sdxl");
  EXPECT_EQ(family_of(config_of({{"mid_block_type", "null"}})), "sdxl-like");
}

}  // namespace
}  // namespace ssd1b
