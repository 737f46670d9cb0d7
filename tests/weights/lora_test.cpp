#include "inference/weights/lora/lora.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "inference/weights/bind.h"
#include "inference/weights/lora/module_spellings.h"
#include "weights/probe_files.h"

namespace ssd1b {
namespace {

using ::testing::HasSubstr;

/// A UNet of one convolution and one attention, its three matrices stacked.
struct SmallUnet {
  Parameter conv_in{{3, 2, 3, 3}};
  Parameter to_q{{2, 4}}, to_k{{2, 4}}, to_v{{3, 4}};
  Parameter to_qkv;
};

void visit_parameters(SmallUnet& unet, const Scope& scope) {
  scope.parameter("conv_in.weight", unet.conv_in);
  const Scope attention = scope / "attn1";
  attention.stack(unet.to_qkv, {&unet.to_q, &unet.to_k, &unet.to_v});
  attention.parameter("to_q.weight", unet.to_q);
  attention.parameter("to_k.weight", unet.to_k);
  attention.parameter("to_v.weight", unet.to_v);
}

at::Tensor tensor_of(const TensorData& data) {
  return at::from_blob(const_cast<std::uint8_t*>(data.bytes.data()), data.shape, at::kFloat)
      .clone();
}

class LoraTest : public ::testing::Test {
 protected:
  LoraTest() {
    write_safetensors(folder_ / "unet.safetensors", weights_);
    unet_ = collect_weights("unet", {SafetensorsFile::open(folder_ / "unet.safetensors")});
    target_ = {"ssd-1b", {{"unet", &unet_}, {"text_encoder", &none_}, {"text_encoder_2", &none_}}};
  }

  std::size_t add(const std::map<std::string, TensorData>& lora, double scale = 1.0) {
    write_safetensors(folder_ / "lora.safetensors", lora);
    return add_lora(folder_ / "lora.safetensors", scale, target_);
  }

  void fill(at::ScalarType dtype = at::kFloat) {
    LoadOptions options;
    options.dtype = dtype;
    const auto walk = [&](ParameterVisitor& visitor) {
      visit_parameters(module_, Scope(visitor, ""));
    };
    fill_parameters(plan_parameters(unet_, walk, options), options);
  }

  TemporaryFolder folder_;
  const std::map<std::string, TensorData> weights_ = {
      {"conv_in.weight", float_data({3, 2, 3, 3}, -3)},
      {"attn1.to_q.weight", float_data({2, 4}, 10)},
      {"attn1.to_k.weight", float_data({2, 4}, 20)},
      {"attn1.to_v.weight", float_data({3, 4}, 30)}};
  ComponentWeights unet_, none_;
  LoraTarget target_;
  SmallUnet module_;
};

TEST_F(LoraTest, AddsTheProductTimesAlphaOverRankTimesScale) {
  const TensorData down = float_data({2, 4}, 1), up = float_data({3, 2}, -1);
  const std::size_t modules = add({{"lora_unet_attn1_to_v.lora_down.weight", down},
                                   {"lora_unet_attn1_to_v.lora_up.weight", up},
                                   {"lora_unet_attn1_to_v.alpha", float_data({}, 3)}},
                                  /*scale=*/0.5);

  fill();

  EXPECT_EQ(modules, 1);
  const at::Tensor product = tensor_of(up).mm(tensor_of(down));
  const at::Tensor expected = tensor_of(weights_.at("attn1.to_v.weight")) + product * (0.5 * 3 / 2);
  EXPECT_TRUE(at::allclose(module_.to_v.value, expected));
  EXPECT_TRUE(module_.to_v.value.is_alias_of(module_.to_qkv.value));
  EXPECT_TRUE(at::equal(module_.to_q.value, tensor_of(weights_.at("attn1.to_q.weight"))));
}

TEST_F(LoraTest, AConvolutionsChangeIsTheProductOverTheRank) {
  const TensorData down = float_data({2, 2, 3, 3}, 1), up = float_data({3, 2, 1, 1}, 0);
  add({{"unet.conv_in.lora_A.weight", down}, {"unet.conv_in.lora_B.weight", up}});

  fill();

  const at::Tensor delta = at::einsum("orxy,rikl->oikl", {tensor_of(up), tensor_of(down)});
  EXPECT_TRUE(
      at::allclose(module_.conv_in.value, tensor_of(weights_.at("conv_in.weight")) + delta));
}

TEST_F(LoraTest, SeveralFilesAddUpAndAreRoundedOnce) {
  // Each alone is too small to change 10 in bfloat16; together they are not.
  const TensorData down = float_data({1, 4}, 1), up = float_data({2, 1}, 0.01F);
  const std::map<std::string, TensorData> lora = {{"attn1.to_q.lora_A.weight", down},
                                                  {"attn1.to_q.lora_B.weight", up}};
  add(lora);
  add(lora);
  add(lora);
  add(lora);

  fill(at::kBFloat16);

  const at::Tensor product = tensor_of(up).mm(tensor_of(down));
  const at::Tensor sum = tensor_of(weights_.at("attn1.to_q.weight")) + 4 * product;
  EXPECT_TRUE(at::equal(module_.to_q.value, sum.to(at::kBFloat16)));
}

TEST_F(LoraTest, AWeightThatOverflowsItsTypeIsRefused) {
  add({{"attn1.to_q.lora_A.weight", float_data({1, 4}, 300)},
       {"attn1.to_q.lora_B.weight", float_data({2, 1}, 300)}});

  const std::string refusal = refusal_of([&] { fill(at::kHalf); });

  EXPECT_THAT(refusal, HasSubstr("lora.safetensors"));
  EXPECT_THAT(refusal, HasSubstr("must stay finite in float16"));
}

TEST_F(LoraTest, AModuleThatTheModelHasNotIsNamed) {
  const std::string refusal = refusal_of([&] {
    add({{"lora_unet_mid_block_attentions_0_proj_in.lora_down.weight", float_data({1, 4}, 1)}});
  });

  EXPECT_THAT(refusal, HasSubstr("a LoRA of SDXL"));
  EXPECT_THAT(refusal, HasSubstr("mid_block_attentions_0_proj_in"));
}

TEST(LdmNames, CountBlocksByTheirResnets) {
  const std::vector<std::string> modules = {
      "conv_in",
      "down_blocks.0.resnets.0.conv1",
      "down_blocks.0.resnets.1.conv2",
      "down_blocks.0.downsamplers.0.conv",
      "down_blocks.1.resnets.0.conv_shortcut",
      "down_blocks.1.attentions.0.proj_in",
      "mid_block.resnets.0.time_emb_proj",
      "mid_block.attentions.0.proj_out",
      "mid_block.resnets.1.conv1",
      "up_blocks.0.resnets.2.conv1",
      "up_blocks.0.attentions.2.proj_in",
      "up_blocks.0.upsamplers.0.conv",
      "up_blocks.1.resnets.0.conv1",
  };

  const std::map<std::string, std::string> names = ldm_names(modules);

  const std::map<std::string, std::string> expected = {
      {"conv_in", "input_blocks.0.0"},
      {"down_blocks.0.resnets.0.conv1", "input_blocks.1.0.in_layers.2"},
      {"down_blocks.0.resnets.1.conv2", "input_blocks.2.0.out_layers.3"},
      {"down_blocks.0.downsamplers.0.conv", "input_blocks.3.0.op"},
      {"down_blocks.1.resnets.0.conv_shortcut", "input_blocks.4.0.skip_connection"},
      {"down_blocks.1.attentions.0.proj_in", "input_blocks.4.1.proj_in"},
      {"mid_block.resnets.0.time_emb_proj", "middle_block.0.emb_layers.1"},
      {"mid_block.attentions.0.proj_out", "middle_block.1.proj_out"},
      {"mid_block.resnets.1.conv1", "middle_block.2.in_layers.2"},
      {"up_blocks.0.resnets.2.conv1", "output_blocks.2.0.in_layers.2"},
      {"up_blocks.0.attentions.2.proj_in", "output_blocks.2.1.proj_in"},
      {"up_blocks.0.upsamplers.0.conv", "output_blocks.2.2.conv"},
      {"up_blocks.1.resnets.0.conv1", "output_blocks.3.0.in_layers.2"},
  };
  EXPECT_EQ(names, expected);
}

}  // namespace
}  // namespace ssd1b
