#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <map>
#include <string>

#include "inference/weights/safetensors_writer.h"
#include "ssd1b/pipeline.h"

namespace ssd1b {

/// A copy of the model that comes with the project, whose VAE's file can be changed. Lives as long
/// as a test; `name` is the test's own.
class ChangedModel {
 public:
  using Tensors = std::map<std::string, TensorData>;

  explicit ChangedModel(const std::string& name) {
    options.shipped_models = std::filesystem::path(SSD1B_SOURCE_DIR) / "models";
    options.model = std::filesystem::path(testing::TempDir()) / name;
    std::filesystem::remove_all(options.model);
    std::filesystem::copy(options.shipped_models / "icons", options.model,
                          std::filesystem::copy_options::recursive);
  }
  ~ChangedModel() { std::filesystem::remove_all(options.model); }
  ChangedModel(const ChangedModel&) = delete;
  ChangedModel& operator=(const ChangedModel&) = delete;

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

  ModelOptions options;

 private:
  std::filesystem::path vae_file() const {
    return options.model / "vae" / "diffusion_pytorch_model.safetensors";
  }
};

}  // namespace ssd1b
