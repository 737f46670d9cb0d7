#include "inference/weights/model_folder.h"

#include <algorithm>
#include <array>
#include <system_error>
#include <utility>

#include "inference/weights/weight_files.h"
#include "ssd1b/error.h"

namespace ssd1b {
namespace {

namespace fs = std::filesystem;

/// One component that a model must have.
struct ComponentRow {
  const char* name;
  const char* class_name;  // empty: any; others check it
  const char* config_file;
  const char* weight_stem;  // empty: it has no weights
};
constexpr std::array<ComponentRow, 7> kComponents = {{
    {"unet", "UNet2DConditionModel", "config.json", "diffusion_pytorch_model"},
    {"vae", "AutoencoderKL", "config.json", "diffusion_pytorch_model"},
    {"text_encoder", "CLIPTextModel", "config.json", "model"},
    {"text_encoder_2", "CLIPTextModelWithProjection", "config.json", "model"},
    {"scheduler", "", "scheduler_config.json", ""},
    {"tokenizer", "CLIPTokenizer", "", ""},
    {"tokenizer_2", "CLIPTokenizer", "", ""},
}};

/// Pipelines that use the same components in the same way; ours is text to image for each of them.
constexpr std::array<const char*, 2> kPipelines = {"StableDiffusionXLPipeline",
                                                   "StableDiffusionXLImg2ImgPipeline"};

void check_pipeline(const ConfigDocument& index) {
  const std::string name = index.text("_class_name");
  const bool is_ours = std::find(kPipelines.begin(), kPipelines.end(), name) != kPipelines.end();
  index.require(is_ours, "_class_name", "StableDiffusionXLPipeline (SSD-1B, SDXL, Vega)");
}

/// The class of a component, as ["diffusers", "AutoencoderKL"] names it.
std::string component_class(const ConfigDocument& index, const ComponentRow& row) {
  const std::string expected = row.class_name;
  const std::string must = "a list of a library and " + (expected.empty() ? "a class" : expected);
  std::vector<std::string> entry;
  try {
    entry = index.texts(row.name);
  } catch (const Error&) {
    index.fail(row.name, must);  // [null, null] too: this component is needed
  }
  const bool fits = entry.size() == 2 &&
                    (expected.empty() || entry[1] == expected || entry[1] == expected + "Fast");
  index.require(fits, row.name, must);
  return entry[1];
}

void check_is_folder(const fs::path& folder) {
  std::error_code ignored;
  if (!fs::is_directory(folder, ignored)) {
    throw Error(ErrorCode::BadModel, folder.string() + ": must be a folder of the model, got " +
                                         (fs::exists(folder, ignored) ? "a file" : "none"));
  }
}

template <typename Value>
const Value& at(const std::map<std::string, Value>& map, const std::string& component) {
  const auto found = map.find(component);
  if (found == map.end()) {
    throw Error(ErrorCode::InternalError,
                "a model has no component \"" + component + "\" of this kind: this is a bug");
  }
  return found->second;
}

}  // namespace

ModelFolder ModelFolder::open(const fs::path& path, const std::string& variant,
                              const fs::path& shipped_models) {
  std::error_code error;
  if (fs::status(path, error).type() == fs::file_type::not_found) {
    throw Error(ErrorCode::BadModel,
                path.string() +
                    ": must be a folder in the diffusers layout or a .safetensors file, got none; "
                    "models/README.md says how to fetch one");
  }
  if (!fs::is_directory(path, error)) return open_single_file(path, shipped_models);
  if (!fs::exists(path / "model_index.json", error)) {
    throw Error(
        ErrorCode::BadModel,
        path.string() +
            ": must hold model_index.json, as folders in the diffusers layout do, got none");
  }
  return open_folder(path, variant);
}

ModelFolder ModelFolder::open_folder(const fs::path& path, const std::string& variant) {
  ModelFolder folder(ConfigDocument::read(path / "model_index.json"));
  folder.path_ = path;
  check_pipeline(folder.index_);
  folder.read_classes();
  for (const ComponentRow& row : kComponents) {
    check_is_folder(path / row.name);
    if (*row.config_file == '\0') {
      folder.tokenizers_[row.name] = path / row.name;
    } else {
      folder.configs_.emplace(row.name, ConfigDocument::read(path / row.name / row.config_file));
    }
  }
  bool has_variant = variant.empty();
  for (const ComponentRow& row : kComponents) {
    if (*row.weight_stem == '\0') continue;
    const bool is_of_diffusers = std::string(row.weight_stem) == "diffusion_pytorch_model";
    const WeightFiles files =
        find_weight_files(path / row.name, {row.weight_stem, variant, is_of_diffusers});
    has_variant = has_variant || files.is_variant;
    folder.weights_[row.name] = collect_weights(row.name, files.files);
  }
  if (!has_variant) {
    throw Error(ErrorCode::BadModel,
                path.string() + ": must hold *." + variant +
                    ".safetensors in a component, as --variant asks, got none");
  }
  folder.generation_ = read_generation_config(path / "generation_config.json");
  return folder;
}

void ModelFolder::read_classes() {
  for (const ComponentRow& row : kComponents) classes_[row.name] = component_class(index_, row);
}

const ConfigDocument& ModelFolder::config(const std::string& component) const {
  return at(configs_, component);
}

const std::string& ModelFolder::class_of(const std::string& component) const {
  return at(classes_, component);
}

const ComponentWeights& ModelFolder::weights(const std::string& component) const {
  return at(weights_, component);
}

ComponentWeights& ModelFolder::weights(const std::string& component) {
  return const_cast<ComponentWeights&>(std::as_const(*this).weights(component));
}

const fs::path& ModelFolder::tokenizer(const std::string& component) const {
  return at(tokenizers_, component);
}

bool ModelFolder::force_zeros_for_empty_prompt() const {
  return index_.optional_boolean("force_zeros_for_empty_prompt").value_or(true);
}

}  // namespace ssd1b
