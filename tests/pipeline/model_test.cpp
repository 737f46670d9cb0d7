#include "inference/pipeline/model.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "inference/weights/config_document.h"
#include "pipeline/changed_model.h"
#include "ssd1b/error.h"

namespace ssd1b {
namespace {

void open(const ChangedModel& changed) { Model(changed.options, at::kCPU); }

TEST(Model, LoadsOfTheVaeTheDecoderAlone) {
  const ChangedModel unchanged("vae_decoder");

  EXPECT_FALSE(Model(unchanged.options, at::kCPU).vae.encoder);
}

TEST(Model, AVaeWithoutItsEncoderIsEnough) {
  const ChangedModel changed("vae_without_encoder");
  ChangedModel::Tensors tensors = changed.read_vae();
  for (auto each = tensors.begin(); each != tensors.end();) {
    const bool is_encoder =
        each->first.rfind("encoder.", 0) == 0 || each->first.rfind("quant_conv.", 0) == 0;
    each = is_encoder ? tensors.erase(each) : std::next(each);
  }
  changed.write_vae(tensors);

  EXPECT_NO_THROW(open(changed));
}

TEST(Model, ATensorThatTheVaeHasNotIsRefused) {
  const ChangedModel changed("vae_with_a_stray");
  ChangedModel::Tensors tensors = changed.read_vae();
  tensors["decoder.stray.weight"] = {Dtype::F32, {1}, {0, 0, 0, 0}};
  changed.write_vae(tensors);

  try {
    open(changed);
    FAIL() << "was accepted";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::BadModel);
    EXPECT_THAT(error.what(), testing::HasSubstr("\"decoder.stray.weight\""));
  }
}

TEST(Model, BeginsFromFewStepsWithoutGuidanceWhereItsSchedulerIsOfDistilledModels) {
  for (const std::string name : {"LCMScheduler", "TCDScheduler"}) {
    const ChangedModel changed(name);
    const std::filesystem::path index = changed.options.model / "model_index.json";
    const std::string changed_index =
        ConfigDocument::read(index)
            .with({{"scheduler", R"(["diffusers", ")" + name + "\"]"}})
            .to_json();
    std::ofstream(index) << changed_index;
    std::ofstream(changed.options.model / "generation_config.json") << "{}";

    const ModelInfo info = Model(changed.options, at::kCPU).info;

    EXPECT_EQ(info.steps, 4) << name;
    EXPECT_EQ(info.guidance_scale, 1.0) << name;
  }
}

/// A VAE whose first convolution gives more than float16 holds, as SDXL's own does further on.
class OverflowingVae : public testing::Test {
 protected:
  OverflowingVae() {
    ChangedModel::Tensors tensors = changed_.read_vae();
    TensorData& weight = tensors.at("decoder.conv_in.weight");
    const at::Tensor values = at::linspace(-6e4, 6e4, c10::multiply_integers(weight.shape));
    const auto* bytes = static_cast<const std::uint8_t*>(values.const_data_ptr());
    weight.dtype = Dtype::F32;
    weight.bytes.assign(bytes, bytes + values.nbytes());
    changed_.write_vae(tensors);
  }

  ModelOptions options(const std::string& vae_dtype) const {
    ModelOptions made = changed_.options;
    made.vae_dtype = vae_dtype;
    return made;
  }

  static std::vector<std::uint8_t> picture(const ModelOptions& options) {
    const std::unique_ptr<Engine> engine = open_model(options);
    GenerationRequest request = default_request(engine->model());
    request.prompt = "a red apple";
    request.steps = 1;
    request.width_px = request.height_px = 8 * kSide;
    return generate(*engine, request, nullptr).image.rgb;
  }

  /// A limit under which kSide latent pixels are decoded whole in float16, in tiles in float32.
  static std::int64_t limit_between(ModelOptions options) {
    options.device_memory_limit_bytes = std::int64_t{1} << 32;
    const Model model(options, at::kCPU);
    const UNetCallCost cost =
        unet_call_cost(model.unet_config, /*element=*/4, model.tokenizer.max_length());
    const std::int64_t room = model.memory.call_rows(1, 1) * cost.bytes(1, 1, 1);
    const std::int64_t decode = decode_bytes(model.vae_config, /*element=*/2, kSide, kSide);
    return *options.device_memory_limit_bytes - room + decode * 3 / 2;
  }

  static constexpr int kSide = 40;

 private:
  const ChangedModel changed_{"overflowing_vae"};
};

TEST_F(OverflowingVae, IsDecodedInFloat32AndInTilesWhereThatHasNoRoom) {
  ModelOptions limited = options("float16");
  limited.device_memory_limit_bytes = limit_between(limited);

  const std::vector<std::uint8_t> wanted = picture(options("float32"));

  EXPECT_EQ(picture(options("float16")), wanted);
  EXPECT_NE(picture(limited), wanted);
}

}  // namespace
}  // namespace ssd1b
