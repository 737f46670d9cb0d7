#include "inference/weights/model_folder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "weights/probe_files.h"

namespace ssd1b {
namespace {

using ::testing::HasSubstr;

constexpr const char* kIndex = R"({
  "_class_name": "StableDiffusionXLPipeline", "_diffusers_version": "0.19.0",
  "feature_extractor": [null, null], "image_encoder": [null, null],
  "force_zeros_for_empty_prompt": false,
  "scheduler": ["diffusers", "EulerDiscreteScheduler"],
  "text_encoder": ["transformers", "CLIPTextModel"],
  "text_encoder_2": ["transformers", "CLIPTextModelWithProjection"],
  "tokenizer": ["transformers", "CLIPTokenizer"], "tokenizer_2": ["transformers", "CLIPTokenizer"],
  "unet": ["diffusers", "UNet2DConditionModel"], "vae": ["diffusers", "AutoencoderKL"]})";

/// A folder that has all that a model needs, with one small tensor a component.
class ModelFolderTest : public ::testing::Test {
 protected:
  ModelFolderTest() {
    write_text(at("model_index.json"), kIndex);
    for (const char* component : {"unet", "vae", "text_encoder", "text_encoder_2"}) {
      write_text(at(std::string(component) + "/config.json"), R"({"norm_num_groups": 32})");
      write(file_of(component));
    }
    write_text(at("scheduler/scheduler_config.json"), "{}");
    write_text(at("tokenizer/vocab.json"), "{}");
    write_text(at("tokenizer_2/vocab.json"), "{}");
  }

  std::filesystem::path at(const std::string& name) const { return folder_ / name; }

  static std::string file_of(const std::string& component, const std::string& variant = "") {
    const bool is_encoder = component.find("text_encoder") == 0;
    return component + (is_encoder ? "/model" : "/diffusion_pytorch_model") + variant +
           ".safetensors";
  }

  /// Writes one tensor, its first value a mark to know the file by.
  void write(const std::string& file, float mark = 1, const std::string& tensor = "w") const {
    write_safetensors(at(file), {{tensor, float_data({2}, mark)}});
  }

  float mark(const ModelFolder& model, const std::string& component) const {
    const TensorSource& source = model.weights(component).tensors.at("w");
    float value = 0;
    source.file.read(source.offset, &value, sizeof value);
    return value;
  }

  std::string refusal(const std::string& variant = "") const {
    return refusal_of([&] { ModelFolder::open(folder_.path(), variant); });
  }

  void replace(const std::string& from, const std::string& to) const {
    std::string index = kIndex;
    index.replace(index.find(from), from.size(), to);
    write_text(at("model_index.json"), index);
  }

  TemporaryFolder folder_;
};

TEST_F(ModelFolderTest, OpensAFolder) {
  const ModelFolder model = ModelFolder::open(folder_.path(), "");

  EXPECT_EQ(model.config("unet").integer("norm_num_groups"), 32);
  EXPECT_EQ(model.class_of("scheduler"), "EulerDiscreteScheduler");
  EXPECT_EQ(model.tokenizer("tokenizer_2"), at("tokenizer_2"));
  EXPECT_FALSE(model.force_zeros_for_empty_prompt());
  EXPECT_EQ(model.weights("vae").tensors.size(), 1u);
  EXPECT_EQ(model.generation().steps, std::nullopt);
  EXPECT_THROW(model.config("controlnet"), Error);
}

TEST_F(ModelFolderTest, RefusesAFolderOfAnotherClassByName) {
  for (const char* name : {"StableDiffusionPipeline", "FluxPipeline", "StableDiffusion3Pipeline",
                           "StableDiffusionXLInpaintPipeline"}) {
    replace("StableDiffusionXLPipeline", name);
    EXPECT_THAT(refusal(), HasSubstr(std::string("got \"") + name + "\""));
  }
}

TEST_F(ModelFolderTest, NamesTheComponentThatIsNotWhatItMustBe) {
  replace(R"(["diffusers", "AutoencoderKL"])", R"(["diffusers", "AutoencoderTiny"])");
  EXPECT_THAT(refusal(), HasSubstr("vae must be a list of a library and AutoencoderKL"));
  replace(R"(["transformers", "CLIPTextModel"])", "[null, null]");
  EXPECT_THAT(refusal(), HasSubstr("text_encoder must be"));
  replace(R"("unet": ["diffusers", "UNet2DConditionModel"],)", "");
  EXPECT_THAT(refusal(), HasSubstr("unet must be a list of a library and UNet2DConditionModel"));
}

TEST_F(ModelFolderTest, NamesWhatIsMissing) {
  std::filesystem::remove(at(file_of("vae")));
  EXPECT_THAT(refusal(), HasSubstr("vae: must hold diffusion_pytorch_model.safetensors or "
                                   "diffusion_pytorch_model.fp16.safetensors, got none"));
  std::filesystem::create_directories(at("vae"));
  write("vae/diffusion_pytorch_model.bf16.safetensors");
  EXPECT_THAT(refusal(), HasSubstr("bf16.safetensors, which is read with --variant bf16"));
  write(file_of("vae"));
  std::filesystem::remove_all(at("tokenizer"));
  EXPECT_THAT(refusal(), HasSubstr("tokenizer: must be a folder"));
  std::filesystem::remove(at("unet/config.json"));
  EXPECT_THAT(refusal(), HasSubstr("unet/config.json: cannot be opened"));
  std::filesystem::remove(at("model_index.json"));
  EXPECT_THAT(refusal(), HasSubstr("must hold model_index.json"));
}

TEST_F(ModelFolderTest, SaysThatPicklesAreNotLoaded) {
  std::filesystem::rename(at(file_of("unet")), at("unet/diffusion_pytorch_model.bin"));

  EXPECT_THAT(refusal(), HasSubstr("got only diffusion_pytorch_model.bin"));
}

TEST_F(ModelFolderTest, PrefersPlainFilesThenFp16) {
  write(file_of("unet", ".fp16"), 16);
  EXPECT_EQ(mark(ModelFolder::open(folder_.path(), ""), "unet"), 1);
  std::filesystem::remove(at(file_of("unet")));
  EXPECT_EQ(mark(ModelFolder::open(folder_.path(), ""), "unet"), 16);
}

TEST_F(ModelFolderTest, PrefersTheVariantAndFallsBackByComponent) {
  write(file_of("unet", ".ema"), 7);

  const ModelFolder model = ModelFolder::open(folder_.path(), "ema");

  EXPECT_EQ(mark(model, "unet"), 7);
  EXPECT_EQ(mark(model, "vae"), 1);
  EXPECT_THAT(refusal("bf16"), HasSubstr("*.bf16.safetensors"));
}

TEST_F(ModelFolderTest, ReadsShardsWhereTheIndexSays) {
  write("unet/diffusion_pytorch_model-00001-of-00002.safetensors", 1, "a");
  write("unet/diffusion_pytorch_model-00002-of-00002.safetensors", 2, "b");
  write_text(at("unet/diffusion_pytorch_model.safetensors.index.json"),
             R"({"metadata": {"total_size": 16}, "weight_map": {
                 "a": "diffusion_pytorch_model-00001-of-00002.safetensors",
                 "b": "diffusion_pytorch_model-00002-of-00002.safetensors"}})");

  const ModelFolder model = ModelFolder::open(folder_.path(), "");

  EXPECT_EQ(model.weights("unet").tensors.count("a"), 1u);
  EXPECT_EQ(model.weights("unet").tensors.count("b"), 1u);
}

TEST_F(ModelFolderTest, FindsShardsOfAVariantUnderBothSpellings) {
  for (const char* name : {"text_encoder/model.safetensors.index.fp16.json",
                           "text_encoder/model.safetensors.fp16.index.json"}) {
    std::filesystem::remove_all(at("text_encoder"));
    write_text(at("text_encoder/config.json"), "{}");
    write("text_encoder/model.fp16-00001-of-00001.safetensors", 5);
    write_text(at(name), R"({"weight_map": {"w": "model.fp16-00001-of-00001.safetensors"}})");

    EXPECT_EQ(mark(ModelFolder::open(folder_.path(), "fp16"), "text_encoder"), 5) << name;
    EXPECT_EQ(mark(ModelFolder::open(folder_.path(), ""), "text_encoder"), 5) << name;
  }
}

TEST_F(ModelFolderTest, RefusesShardsThatAreNotAsTheIndexSays) {
  const std::string index = "unet/diffusion_pytorch_model.safetensors.index.json";
  write("unet/a.safetensors", 1, "a");
  const std::vector<std::pair<std::string, std::string>> cases = {
      {R"({"weight_map": {"a": "b.safetensors"}})", "b.safetensors: cannot be opened"},
      {R"({"weight_map": {"b": "a.safetensors"}})", "must hold tensor \"b\""},
      {R"({"weight_map": {"a": "a.safetensors", "b": "a.safetensors"}})", "must hold tensor \"b\""},
      {R"({"weight_map": {"a": "../vae/diffusion_pytorch_model.safetensors"}})", "same folder"},
      {R"({"weight_map": {"a": "/etc/passwd"}})", "same folder"},
      {R"({"weight_map": {"a": ".safetensors"}})", "same folder"},
      {R"({"weight_map": {"a": ""}})", "same folder"},
      {R"({"weight_map": {"a": "a.bin"}})", "same folder"},
      {R"({"weight_map": {"a": 1}})", "weight_map.a must be a string"},
      {R"({"weight_map": {}})", "weight_map must be"},
      {R"({"weight_map": []})", "weight_map must be"},
      {R"({})", "weight_map must be"},
  };
  for (const auto& [text, says] : cases) {
    write_text(at(index), text);
    EXPECT_THAT(refusal(), HasSubstr(says)) << text;
  }
  write("unet/a.safetensors", 1, "c");
  write_safetensors(at("unet/a.safetensors"),
                    {{"a", float_data({2}, 1)}, {"c", float_data({2}, 1)}});
  write_text(at(index), R"({"weight_map": {"a": "a.safetensors"}})");
  EXPECT_THAT(refusal(), HasSubstr("tensor \"c\": must be one that"));
}

TEST_F(ModelFolderTest, RefusesWhatIsNoModelAtAll) {
  EXPECT_THAT(refusal_of([&] { ModelFolder::open(folder_ / "absent", ""); }),
              HasSubstr("must be a folder in the diffusers layout"));
  std::filesystem::create_directory(at("empty"));
  EXPECT_THAT(refusal_of([&] { ModelFolder::open(at("empty"), ""); }),
              HasSubstr("model_index.json"));
  write_text(at("model.ckpt"), "PK\x03\x04 and so on");
  EXPECT_THAT(refusal_of([&] { ModelFolder::open(at("model.ckpt"), ""); }), HasSubstr("zip"));
  std::filesystem::remove(at("vae/config.json"));
  ASSERT_EQ(::mkfifo(at("vae/config.json").c_str(), 0600), 0);
  EXPECT_THAT(refusal(), HasSubstr("got a fifo"));
}

TEST(ComponentWeights, BringsOldNamesUpToDate) {
  TemporaryFolder folder;
  write_safetensors(folder / "vae.safetensors",
                    {{"decoder.mid_block.attentions.0.query.weight", float_data({2, 2, 1, 1}, 0)},
                     {"decoder.mid_block.attentions.0.key.bias", float_data({2}, 0)},
                     {"decoder.mid_block.attentions.0.value.bias", float_data({2}, 0)},
                     {"decoder.mid_block.attentions.0.proj_attn.weight", float_data({2, 2}, 0)},
                     {"post_quant_conv.weight", float_data({4, 4, 1, 1}, 0)}});
  write_safetensors(folder / "clip.safetensors",
                    {{"embeddings.position_ids", float_data({1, 4}, 0)},
                     {"embeddings.token_embedding.weight", float_data({4, 2}, 0)},
                     {"text_projection.weight", float_data({2, 2}, 0)},
                     {"logit_scale", float_data({}, 0)}});

  const auto vae = collect_weights("vae", {SafetensorsFile::open(folder / "vae.safetensors")});
  const auto clip =
      collect_weights("text_encoder_2", {SafetensorsFile::open(folder / "clip.safetensors")});

  EXPECT_EQ(vae.tensors.at("decoder.mid_block.attentions.0.to_q.weight").shape.size(), 2u);
  EXPECT_EQ(vae.tensors.count("decoder.mid_block.attentions.0.to_k.bias"), 1u);
  EXPECT_EQ(vae.tensors.count("decoder.mid_block.attentions.0.to_v.bias"), 1u);
  EXPECT_EQ(vae.tensors.count("decoder.mid_block.attentions.0.to_out.0.weight"), 1u);
  EXPECT_EQ(vae.tensors.at("post_quant_conv.weight").shape.size(), 4u);
  EXPECT_EQ(clip.tensors.size(), 2u);
  EXPECT_EQ(clip.tensors.count("text_model.embeddings.token_embedding.weight"), 1u);
  EXPECT_EQ(clip.tensors.count("text_projection.weight"), 1u);
}

TEST(ComponentWeights, RefusesAParameterUnderBothNames) {
  TemporaryFolder folder;
  write_safetensors(folder / "vae.safetensors",
                    {{"decoder.mid_block.attentions.0.query.weight", float_data({2, 2}, 0)},
                     {"decoder.mid_block.attentions.0.to_q.weight", float_data({2, 2}, 0)}});

  EXPECT_THAT(refusal_of([&] {
                collect_weights("vae", {SafetensorsFile::open(folder / "vae.safetensors")});
              }),
              HasSubstr("must come once"));
}

TEST(ComponentWeights, KnowsWhatToolsLeaveBehind) {
  for (const char* name :
       {"text_model.embeddings.position_ids", "logit_scale", "model_ema.decay", "denoiser.sigmas",
        "alphas_cumprod", "betas", "sqrt_alphas_cumprod", "log_one_minus_alphas_cumprod",
        "posterior_variance", "first_stage_model.loss.logvar", "v_pred", "ztsnr",
        "alphas_cumprod_prev", "denoiser.log_sigmas", "conditioner.embedders.0.logit_scale"}) {
    EXPECT_TRUE(is_known_leftover(name)) << name;
  }
  for (const char* name : {"conv_in.weight", "logit_scale.x", "betas.weight", "x.sqrt_a",
                           "first_stage_model.decoder.conv_in.weight"}) {
    EXPECT_FALSE(is_known_leftover(name)) << name;
  }
}

}  // namespace
}  // namespace ssd1b
