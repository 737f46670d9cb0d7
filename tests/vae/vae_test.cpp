#include "inference/vae/vae.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>

#include "layers/visited_names.h"
#include "ssd1b/error.h"

namespace ssd1b {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using Changes = std::vector<std::pair<std::string, std::string>>;

/// vae/config.json of segmind/SSD-1B with some keys set to other JSON values.
ConfigDocument document(const Changes& changes = {}) {
  static const char* const kText = R"({
    "_class_name": "AutoencoderKL", "act_fn": "silu", "block_out_channels": [128, 256, 512, 512],
    "down_block_types": ["DownEncoderBlock2D", "DownEncoderBlock2D", "DownEncoderBlock2D",
                         "DownEncoderBlock2D"],
    "force_upcast": true, "in_channels": 3, "latent_channels": 4, "layers_per_block": 2,
    "latents_mean": [0, 0, 0, 0], "latents_std": [1, 1, 1, 1], "norm_num_groups": 32, "out_channels": 3, "sample_size": 1024, "scaling_factor": 0.13025,
    "up_block_types": ["UpDecoderBlock2D", "UpDecoderBlock2D", "UpDecoderBlock2D",
                       "UpDecoderBlock2D"]})";
  return ConfigDocument::parse(kText, "vae/config.json").with(changes);
}

Names names_of(const VaeConfig& config, VaeParts parts) {
  Vae vae(config, parts);
  return visited_names(
             [&](ParameterVisitor& visitor) { visit_parameters(vae, Scope(visitor, "")); })
      .names;
}

TEST(VaeNames, EqualSsd1bsKeyList) {
  const VaeConfig config = VaeConfig::from(document());

  EXPECT_EQ(config.scale(), 8);
  EXPECT_EQ(names_of(config, VaeParts::Both), read_key_list("keys_vae.txt"));
}

TEST(VaeNames, DecoderAndUnvisitedPrefixesCoverTheKeyList) {
  const VaeConfig config = VaeConfig::from(document());
  Names wanted = read_key_list("keys_vae.txt");
  const std::size_t all = wanted.size();
  for (const std::string& prefix : unvisited_prefixes(Vae(config))) {
    for (auto entry = wanted.begin(); entry != wanted.end();) {
      entry = entry->first.rfind(prefix, 0) == 0 ? wanted.erase(entry) : std::next(entry);
    }
  }

  EXPECT_LT(wanted.size(), all);
  EXPECT_EQ(names_of(config, VaeParts::Decoder), wanted);
}

class VaeConfigRefuses : public testing::TestWithParam<std::pair<const char*, const char*>> {};

TEST_P(VaeConfigRefuses, NamesFileAndKey) {
  const auto& [key, value] = GetParam();
  try {
    VaeConfig::from(document({{key, value}}));
    FAIL() << "was accepted";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::BadModel);
    EXPECT_THAT(error.what(), AllOf(HasSubstr("vae/config.json"), HasSubstr(key)));
  }
}

INSTANTIATE_TEST_SUITE_P(
    What, VaeConfigRefuses,
    testing::Values(std::pair("_class_name", "\"AutoencoderTiny\""),
                    std::pair("act_fn", "\"tanh\""), std::pair("block_out_channels", "[]"),
                    std::pair("norm_num_groups", "48"), std::pair("norm_num_groups", "0"),
                    std::pair("down_block_types", "[\"DownEncoderBlock2D\"]"),
                    std::pair("up_block_types", "\"UpDecoderBlock2D\""),
                    std::pair("in_channels", "1"), std::pair("out_channels", "4"),
                    std::pair("latent_channels", "0"), std::pair("layers_per_block", "-1"),
                    std::pair("scaling_factor", "0"), std::pair("latents_mean", "[0, 0, 0]"),
                    std::pair("latents_std", "[1, 1, 1]"), std::pair("force_upcast", "1")));

TEST(Vae, ModelSpaceGoesThereAndBack) {
  const Vae vae(VaeConfig::from(document(
      {{"latents_mean", "[0.1, 0.2, -0.3, 0.4]"}, {"latents_std", "[1.5, 0.5, 2.0, 1.0]"}})));
  const at::Tensor latents = at::randn({2, 4, 3, 5});

  const at::Tensor there = vae.from_model_space(latents);

  EXPECT_TRUE(at::allclose(there.select(1, 2), latents.select(1, 2) * 2.0 / 0.13025 - 0.3));
  EXPECT_TRUE(at::allclose(vae.to_model_space(there), latents, 1e-4, 1e-5));
}

TEST(ToImage, ClampsAndRoundsHalfToEven) {
  const auto level = [](double value) { return static_cast<float>(value / 255.0 * 2.0 - 1.0); };
  const at::Tensor pixels =
      at::tensor({level(0.4), level(1.6), level(254.4), -3.0F, 7.0F, 0.0F}).view({1, 3, 1, 2});

  const Image image = to_image(pixels);

  EXPECT_EQ(image.width_px, 2);
  EXPECT_EQ(image.height_px, 1);
  // Rows of pixels, three colours each; 0.0 is 127.5, which rounds to the even 128.
  EXPECT_THAT(image.rgb, ElementsAre(0, 254, 255, 2, 0, 128));
}

}  // namespace
}  // namespace ssd1b
