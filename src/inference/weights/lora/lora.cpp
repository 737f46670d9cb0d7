#include "inference/weights/lora/lora.h"

#include <cmath>
#include <cstring>
#include <optional>
#include <utility>
#include <vector>

#include "inference/weights/convert.h"
#include "inference/weights/lora/adapter_config.h"
#include "inference/weights/lora/lora_key.h"
#include "inference/weights/lora/misplaced.h"
#include "inference/weights/lora/module_spellings.h"
#include "inference/weights/lora/peft_component.h"
#include "inference/weights/weight_files.h"
#include "ssd1b/error.h"

namespace ssd1b {
namespace {

/// The tensors of one module's change.
struct Pair {
  const TensorInfo* down = nullptr;
  const TensorInfo* up = nullptr;
  const TensorInfo* alpha = nullptr;
};

/// By the component's name of the module.
using Pairs = std::map<std::string, Pair>;

[[noreturn]] void fail(const SafetensorsFile& file, const TensorInfo& tensor,
                       const std::string& what) {
  throw Error(ErrorCode::BadModel,
              file.path().string() + ": tensor " + shown(tensor.name) + " " + what);
}

/// The tensors of the file by component and module; those without a place are refused together.
std::map<std::string, Pairs> sort_tensors(const SafetensorsFile& file, const LoraTarget& target) {
  std::map<std::string, ModuleSpellings> spellings;
  for (const auto& [name, weights] : target.components) spellings.emplace(name, *weights);
  std::optional<std::string> own_component;  // of all tensors
  if (is_peft_file(file)) own_component = component_of_peft_file(file, target, spellings);
  std::map<std::string, Pairs> pairs;
  std::vector<Misplaced> misplaced;
  for (const TensorInfo& tensor : file.tensors()) {
    LoraKey key = read_lora_key(file, tensor.name);
    key.component = own_component.value_or(key.component);
    const std::optional<std::string> module = spellings.at(key.component).find(key.module);
    if (!module) {
      misplaced.push_back({tensor.name, key.component, key.module});
      continue;
    }
    Pair& pair = pairs[key.component][*module];
    const TensorInfo*& place = key.part == LoraPart::Down ? pair.down
                               : key.part == LoraPart::Up ? pair.up
                                                          : pair.alpha;
    if (place != nullptr) {
      fail(file, tensor, "must come once, got it as " + shown(place->name) + " too");
    }
    place = &tensor;
  }
  if (!misplaced.empty()) refuse_misplaced(file, misplaced, target);
  return pairs;
}

/// An alpha, one number of a floating or an integer type.
double read_alpha(const SafetensorsFile& file, const TensorInfo& tensor) {
  std::uint64_t bits = 0;
  const bool is_integer = tensor.dtype == Dtype::I64 || tensor.dtype == Dtype::I32;
  const std::uint64_t width = static_cast<std::uint64_t>(bits_of(tensor.dtype)) / 8;
  if (tensor.bytes != width || !(is_integer || is_weight_dtype(tensor.dtype))) {
    fail(file, tensor,
         "must be one number, got shape " + text_of(tensor.shape) + " of " + name_of(tensor.dtype));
  }
  file.read(tensor.offset, &bits, static_cast<std::size_t>(width));
  if (tensor.dtype == Dtype::I64) return static_cast<double>(static_cast<std::int64_t>(bits));
  if (tensor.dtype == Dtype::I32) return static_cast<std::int32_t>(bits);
  const double alpha = element_value(tensor.dtype, &bits, 0);
  if (!std::isfinite(alpha)) fail(file, tensor, "must be finite, got " + std::to_string(alpha));
  return alpha;
}

/// A shape without the ones of 1x1 kernels at its end.
std::vector<std::int64_t> without_kernel(std::vector<std::int64_t> shape) {
  while (shape.size() > 2 && shape.back() == 1) shape.pop_back();
  return shape;
}

void check_shape(const SafetensorsFile& file, const TensorInfo& tensor,
                 const std::vector<std::int64_t>& expected) {
  if (without_kernel(tensor.shape) != without_kernel(expected)) {
    fail(file, tensor, "must have shape " + text_of(expected) + ", got " + text_of(tensor.shape));
  }
  if (!is_weight_dtype(tensor.dtype)) {
    fail(file, tensor,
         std::string("must be F16, BF16, F32, F64, F8_E4M3 or F8_E5M2, got ") +
             name_of(tensor.dtype));
  }
}

/// The alpha that most modules of a component have, of several the first in the file: as diffusers'
/// get_peft_kwargs, it counts for those without one. nullopt: none has any.
std::optional<double> usual_alpha(const SafetensorsFile& file, const Pairs& pairs) {
  std::map<std::uint64_t, double> alphas;  // in the order of the down matrices
  std::map<double, int> counts;
  for (const auto& [module, pair] : pairs) {
    if (pair.alpha == nullptr || pair.down == nullptr) continue;
    const double alpha = read_alpha(file, *pair.alpha);
    alphas[pair.down->offset] = alpha;
    ++counts[alpha];
  }
  const auto most = std::max_element(
      alphas.begin(), alphas.end(),
      [&](const auto& a, const auto& b) { return counts.at(a.second) < counts.at(b.second); });
  if (most == alphas.end()) return std::nullopt;
  return most->second;
}

/// What a file says about the strength of a component's modules, beside their own alphas.
struct Strength {
  std::optional<AdapterConfig> config;
  std::optional<double> alpha;
};

/// How much `up down` counts before the file's own scale.
double weight_of(const SafetensorsFile& file, const Pair& pair, const std::string& module,
                 const Strength& strength) {
  const std::int64_t rank = pair.down->shape.front();
  if (strength.config) {
    if (pair.alpha == nullptr) return strength.config->factor(module, rank);
    fail(file, *pair.alpha, "must not come with settings of PEFT, got both");
  }
  if (pair.alpha == nullptr && !strength.alpha) return 1.0;
  const double alpha = pair.alpha != nullptr ? read_alpha(file, *pair.alpha) : *strength.alpha;
  return alpha / static_cast<double>(rank);
}

LowRankUpdate update_of(const SafetensorsFile& file, const Pair& pair,
                        const std::vector<std::int64_t>& weight_shape) {
  const TensorInfo* one = pair.down != nullptr ? pair.down : pair.up;
  if (one == nullptr) fail(file, *pair.alpha, "must come with down and up matrices, got none");
  if (pair.down == nullptr || pair.up == nullptr) {
    fail(file, *one,
         std::string("must come with ") + (pair.up == nullptr ? "an up" : "a down") +
             " matrix, got none");
  }
  if (pair.down->shape.size() < 2 || pair.down->shape.front() < 1) {
    fail(file, *pair.down,
         "must be a matrix of at least one row, got shape " + text_of(pair.down->shape));
  }
  std::vector<std::int64_t> down = weight_shape;
  down.front() = pair.down->shape.front();
  check_shape(file, *pair.down, down);
  check_shape(file, *pair.up, {weight_shape.front(), pair.down->shape.front()});
  return {source_of(file, *pair.down), source_of(file, *pair.up), 1.0};
}

/// In a folder, PEFT's file or diffusers'.
std::filesystem::path file_of(const std::filesystem::path& path) {
  std::error_code failed;
  if (!std::filesystem::is_directory(path, failed)) return path;
  const std::filesystem::path of_peft = path / "adapter_model.safetensors";
  const bool is_of_peft = std::filesystem::exists(path / "adapter_config.json", failed) ||
                          std::filesystem::exists(of_peft, failed);
  const std::filesystem::path file =
      is_of_peft ? of_peft : path / "pytorch_lora_weights.safetensors";
  if (!std::filesystem::exists(file, failed)) {
    throw Error(ErrorCode::BadModel, path.string() + ": must hold " + file.filename().string() +
                                         ", " + weights_instead(path, file.stem().string()));
  }
  return file;
}

}  // namespace

std::size_t add_lora(const std::filesystem::path& path, double scale, const LoraTarget& target) {
  const SafetensorsFile file = SafetensorsFile::open(file_of(path));
  if (file.tensors().empty()) {
    throw Error(ErrorCode::BadModel, path.string() + ": must hold a LoRA's matrices, got none");
  }
  std::size_t modules = 0;
  for (const auto& [component, pairs] : sort_tensors(file, target)) {
    const Strength strength{read_adapter_config(file, component), usual_alpha(file, pairs)};
    ComponentWeights& weights = *target.components.at(component);
    for (const auto& [module, pair] : pairs) {
      const std::string tensor = module + ".weight";
      LowRankUpdate update = update_of(file, pair, weights.tensors.at(tensor).shape);
      update.factor = scale * weight_of(file, pair, module, strength);
      weights.updates[tensor].push_back(std::move(update));
      ++modules;
    }
  }
  return modules;
}

}  // namespace ssd1b
