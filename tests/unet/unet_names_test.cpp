#include <gtest/gtest.h>

#include "inference/unet/unet.h"
#include "layers/visited_names.h"
#include "unet/ssd1b_config.h"

namespace ssd1b {
namespace {

NameCollector names_of(const ConfigDocument& document) {
  UNet unet(UNetConfig::from(document));
  return visited_names(
      [&](ParameterVisitor& visitor) { visit_parameters(unet, Scope(visitor, "")); });
}

TEST(UNetNames, EqualSsd1bsKeyList) {
  const NameCollector visited = names_of(ssd1b_unet_document());

  EXPECT_TRUE(visited.is_unique);
  EXPECT_FALSE(visited.values_allocated);
  EXPECT_EQ(visited.names.size(), 944u);
  EXPECT_EQ(visited.names, read_key_list("keys_unet_ssd1b.txt"));
}

TEST(UNetNames, GuidanceAddsOneTensor) {
  const Names names = names_of(ssd1b_unet_document({{"time_cond_proj_dim", "256"}})).names;

  EXPECT_EQ(names.size(), 945u);
  EXPECT_EQ(names.at("time_embedding.cond_proj.weight"), "[320, 256]");
}

TEST(UNetNames, ConvolutionsAroundTransformersHaveFourDimensions) {
  const Names names = names_of(ssd1b_unet_document({{"use_linear_projection", "false"}})).names;

  EXPECT_EQ(names.at("down_blocks.1.attentions.0.proj_in.weight"), "[640, 640, 1, 1]");
}

}  // namespace
}  // namespace ssd1b
