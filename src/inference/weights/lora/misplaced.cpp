#include "inference/weights/lora/misplaced.h"

#include <algorithm>

#include "inference/weights/lora/module_spellings.h"
#include "inference/weights/name_matching.h"
#include "ssd1b/error.h"

namespace ssd1b {
namespace {

constexpr std::size_t kListed = 8;

/// Whether a module lies in the middle block's transformer, which SDXL has and SSD-1B has not.
bool is_middle_transformer(const std::string& module) {
  return starts_with(module, "mid_block_attentions_") || starts_with(module, "middle_block_1_");
}

/// Whether a module lies in a transformer that the model has, in a block that it has not.
bool is_deeper_than(const ModuleSpellings& unet, const std::string& module) {
  const std::string list = "_transformer_blocks_";
  const std::size_t at = module.find(list);
  if (at == std::string::npos) return false;
  const std::size_t number = at + list.size();
  return unet.has_start(module.substr(0, number)) &&
         !unet.has_start(module.substr(0, module.find('_', number)) + "_");
}

/// Why the whole file cannot fit, or empty.
std::string reason(const std::vector<Misplaced>& misplaced, const LoraTarget& target) {
  const ModuleSpellings unet(*target.components.at("unet"));
  bool is_deeper = false;
  for (const Misplaced& each : misplaced) {
    if (each.component != "unet") continue;
    const std::string module = underscored(each.module);
    if (is_middle_transformer(module) && !unet.has_start("mid_block_attentions_")) {
      return "this is a LoRA of SDXL, whose middle block has a transformer; this model's (" +
             target.model_type +
             ") has none, and its other transformers have fewer blocks in other places, so what "
             "fits by name would change the wrong blocks";
    }
    is_deeper = is_deeper || is_deeper_than(unet, module);
  }
  return is_deeper ? "this is a LoRA of a model with transformer blocks that this one (" +
                         target.model_type +
                         ") has not, as SDXL has more of them than SSD-1B; what fits by name would "
                         "change the wrong blocks"
                   : "";
}

}  // namespace

void refuse_misplaced(const SafetensorsFile& file, const std::vector<Misplaced>& misplaced,
                      const LoraTarget& target) {
  const std::string why = reason(misplaced, target);
  std::string list;
  for (std::size_t i = 0; i < std::min(kListed, misplaced.size()); ++i) {
    list += (i == 0 ? "" : ", ") + shown(misplaced[i].tensor);
  }
  if (misplaced.size() > kListed) {
    list += " and " + std::to_string(misplaced.size() - kListed) + " more";
  }
  throw Error(ErrorCode::BadModel, file.path().string() + ": " + (why.empty() ? "" : why + "; ") +
                                       "every tensor must have a place in the model, got " +
                                       std::to_string(misplaced.size()) + " of " +
                                       std::to_string(file.tensors().size()) + " without: " + list);
}

}  // namespace ssd1b
