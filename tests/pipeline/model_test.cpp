#include "inference/pipeline/model.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "inference/weights/safetensors_writer.h"
#include "ssd1b/error.h"

namespace ssd1b {
namespace {

using Tensors = std::map<std::string, TensorData>;

/// A copy of the model that comes with the project, whose VAE's file can be changed.
class ModelTest : public testing::Test {
 protected:
  ModelTest() {
    const std::filesystem::path shipped = std::filesystem::path(SSD1B_SOURCE_DIR) / "models";
    options_.shipped_models = shipped;
    options_.model = std::filesystem::path(testing::TempDir()) / "model_test";
    std::filesystem::remove_all(options_.model);
    std::filesystem::copy(shipped / "icons", options_.model,
                          std::filesystem::copy_options::recursive);
  }
  ~ModelTest() override { std::filesystem::remove_all(options_.model); }

  Tensors read_vae() const {
    const SafetensorsFile file = SafetensorsFile::open(vae_file());
    Tensors tensors;
    for (const TensorInfo& each : file.tensors()) {
      TensorData& data = tensors[each.name] = {each.dtype, each.shape, {}};
      data.bytes.resize(each.bytes);
      file.read(each.offset, data.bytes.data(), each.bytes);
    }
    return tensors;
  }
  void write_vae(const Tensors& tensors) const { write_safetensors(vae_file(), tensors); }

  Model open() const { return {options_, at::kCPU}; }

 private:
  std::filesystem::path vae_file() const {
    return options_.model / "vae" / "diffusion_pytorch_model.safetensors";
  }

  ModelOptions options_;
};

TEST_F(ModelTest, LoadsOfTheVaeTheDecoderAlone) { EXPECT_FALSE(open().vae.encoder); }

TEST_F(ModelTest, AVaeWithoutItsEncoderIsEnough) {
  Tensors tensors = read_vae();
  for (auto each = tensors.begin(); each != tensors.end();) {
    const bool is_encoder =
        each->first.rfind("encoder.", 0) == 0 || each->first.rfind("quant_conv.", 0) == 0;
    each = is_encoder ? tensors.erase(each) : std::next(each);
  }
  write_vae(tensors);

  EXPECT_NO_THROW(open());
}

TEST_F(ModelTest, ATensorThatTheVaeHasNotIsRefused) {
  Tensors tensors = read_vae();
  tensors["decoder.stray.weight"] = {Dtype::F32, {1}, {0, 0, 0, 0}};
  write_vae(tensors);

  try {
    open();
    FAIL() << "was accepted";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::BadModel);
    EXPECT_THAT(error.what(), testing::HasSubstr("\"decoder.stray.weight\""));
  }
}

}  // namespace
}  // namespace ssd1b
