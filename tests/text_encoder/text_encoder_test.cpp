#include "inference/text_encoder/text_encoder.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>

#include "layers/visited_names.h"
#include "ssd1b/error.h"

namespace ssd1b {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using Changes = std::vector<std::pair<std::string, std::string>>;

/// text_encoder_2/config.json of segmind/SSD-1B with some keys set to other JSON values.
ConfigDocument document(const Changes& changes = {}) {
  static const char* const kText = R"({
    "bos_token_id": 0, "eos_token_id": 2, "hidden_act": "gelu", "hidden_size": 1280,
    "intermediate_size": 5120, "layer_norm_eps": 1e-05, "max_position_embeddings": 77,
    "model_type": "clip_text_model", "num_attention_heads": 20, "num_hidden_layers": 32,
    "pad_token_id": 1, "projection_dim": 1280, "vocab_size": 49408})";
  return ConfigDocument::parse(kText, "text_encoder_2/config.json").with(changes);
}

const std::string kPlain = "CLIPTextModel";
const std::string kProjected = "CLIPTextModelWithProjection";

Names names_of(const TextEncoderConfig& config) {
  TextEncoder encoder(config);
  return visited_names(
             [&](ParameterVisitor& visitor) { visit_parameters(encoder, Scope(visitor, "")); })
      .names;
}

TEST(TextEncoderNames, EqualSsd1bsKeyLists) {
  const ConfigDocument first = document({{"hidden_size", "768"},
                                         {"intermediate_size", "3072"},
                                         {"num_attention_heads", "12"},
                                         {"num_hidden_layers", "12"}});

  EXPECT_EQ(names_of(TextEncoderConfig::from(first, kPlain)),
            read_key_list("keys_text_encoder.txt"));
  EXPECT_EQ(names_of(TextEncoderConfig::from(document(), kProjected)),
            read_key_list("keys_text_encoder_2.txt"));
}

class TextEncoderConfigRefuses
    : public testing::TestWithParam<std::pair<const char*, const char*>> {};

TEST_P(TextEncoderConfigRefuses, NamesFileAndKey) {
  const auto& [key, value] = GetParam();
  try {
    TextEncoderConfig::from(document({{key, value}}), kProjected);
    FAIL() << "was accepted";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::BadModel);
    EXPECT_THAT(error.what(), AllOf(HasSubstr("text_encoder_2/config.json"), HasSubstr(key)));
  }
}

INSTANTIATE_TEST_SUITE_P(
    What, TextEncoderConfigRefuses,
    testing::Values(std::pair("hidden_act", "\"prelu\""), std::pair("hidden_size", "0"),
                    std::pair("num_attention_heads", "19"), std::pair("eos_token_id", "[2, 3]"),
                    std::pair("layer_norm_eps", "0"), std::pair("model_type", "\"t5\""),
                    std::pair("num_hidden_layers", "100000"), std::pair("vocab_size", "-1"),
                    std::pair("max_position_embeddings", "0"),
                    std::pair("projection_dim", "\"1280\"")));

TEST(TextEncoderConfig, IsReadFromAWholeClipsConfigToo) {
  const ConfigDocument flat = document().with({{"model_type", "\"clip\""}});
  const ConfigDocument whole = ConfigDocument::parse(
      R"({"model_type": "clip", "text_config": )" + document().to_json() + "}", "config.json");

  EXPECT_EQ(TextEncoderConfig::from(flat, kProjected).layers, 32);
  EXPECT_EQ(TextEncoderConfig::from(whole, kProjected).projection_width, 1280);
}

TEST(TextEncoder, RefusesToSkipEveryLayerThatIsUsed) {
  const TextEncoder encoder(TextEncoderConfig::from(document(), kProjected));

  EXPECT_EQ(encoder.config.max_clip_skip(), 30);
  EXPECT_THROW(encoder(at::zeros({1, 77}, at::kLong), {31}, {}), Error);
  EXPECT_THROW(encoder(at::zeros({1, 77}, at::kLong), {-1}, {}), Error);
}

}  // namespace
}  // namespace ssd1b
